import { deployment } from 'inserve';

/** A call takes as long as it is told, and no CPU. */
export class Sleeper {
  async call(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

export const SleeperDeployment = deployment(Sleeper, { module: import.meta.url });

/** Answers what it got. */
export class Echo {
  call(value: number): number {
    return value;
  }
}

export const EchoDeployment = deployment(Echo, { maxOngoingRequests: 128, module: import.meta.url });

/** One release of a model: waits 2 ms, and fails to start where it is told to. */
export class Released {
  readonly #release: string;

  constructor({ release, failing }: { release: string; failing: number }) {
    if (failing > 0) throw new Error(`release ${release} does not start`);
    this.#release = release;
  }

  async call(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return this.#release;
  }
}

export const ReleasedDeployment = deployment(Released, { module: import.meta.url });
