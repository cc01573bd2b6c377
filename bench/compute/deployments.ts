import { deployment } from 'inserve';
import { sharedNow, timed } from './computing.ts';
import { type Kind, work } from './mix.ts';

/** Computes without ever giving the loop back. */
export class Computer {
  /** Answers how many ms it computed. */
  run(steps: number): number {
    return timed(steps);
  }

  /** Leaves a mark where it can be seen that the call ran, whatever became of its answer. */
  mark(steps: number, ran: SharedArrayBuffer, index: number): void {
    Atomics.store(new Uint8Array(ran), index, 1);
    timed(steps);
  }

  /** Tokens, each of which is the time at which it was yielded. */
  *tokens(count: number, steps: number): Generator<number> {
    for (let token = 0; token < count; token++) {
      timed(steps);
      yield sharedNow();
    }
  }
}

export const ComputerDeployment = deployment(Computer, { name: 'Computer', module: import.meta.url });

/** Routes that compute: `/scrypt`, `/csv`, `/pdf`. */
class Mixed {
  call(request: Request): unknown {
    return work(new URL(request.url).pathname.slice(1) as Kind);
  }
}

export const MixedDeployment = deployment(Mixed, { name: 'Mixed', module: import.meta.url });
