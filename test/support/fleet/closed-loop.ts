import type { DeploymentHandle, DeploymentResponse, ServeError } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';

/** One call of a load, once it has ended. */
export interface EndedCall {
  readonly isIdempotent: boolean;
  /** `ok`, or the code of the error. */
  readonly code: string;
  /** The process that answered. */
  readonly pid: number | undefined;
  /** The instance that the call was sent to last. */
  readonly instance: string | undefined;
  /** Whether the call was made after the last `turn`. */
  readonly turn: number;
}

/** Callers that make one call after the other, every second one an idempotent call, until they are stopped. */
export class ClosedLoop {
  readonly ended: EndedCall[] = [];
  /** Calls that were made. */
  made = 0;
  #turn = 0;
  #isOver = false;
  readonly #callers: Promise<void>[];

  constructor(handle: DeploymentHandle<Probe>, callers: number, ms: number) {
    this.#callers = Array.from({ length: callers }, (_, index) =>
      this.#call(index % 2 === 1, () =>
        index % 2 === 1 ? handle.holdAgain.remote(ms) : handle.hold.remote(ms),
      ),
    );
  }

  /** A fault begins or ends: what is made from now on belongs to another turn. */
  turn(): void {
    this.#turn++;
  }

  /** The calls that were made since the last turn. */
  get since(): readonly EndedCall[] {
    return this.ended.filter(({ turn }) => turn === this.#turn);
  }

  get failed(): readonly EndedCall[] {
    return this.ended.filter(({ code }) => code !== 'ok');
  }

  /** The share of the last calls that were answered by a process. */
  shareOf(pid: number, last = 100): number {
    const calls = this.ended.slice(-last);
    return calls.filter((call) => call.pid === pid).length / Math.max(1, calls.length);
  }

  /** Resolves when all calls have ended. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }

  async #call(isIdempotent: boolean, make: () => DeploymentResponse<number>): Promise<void> {
    while (!this.#isOver) {
      this.made++;
      const turn = this.#turn;
      const call = make();
      const [code, pid] = await call.then(
        (answer): [string, number] => ['ok', answer],
        (error: ServeError): [string, undefined] => [error.code ?? String(error), undefined],
      );
      this.ended.push({ isIdempotent, code, pid, instance: call.explain().instance, turn });
      // A caller that fails at once leaves the event loop its turns.
      if (code !== 'ok') await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
