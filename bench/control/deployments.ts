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
