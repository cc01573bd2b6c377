import { deployment } from 'inserve';

/** A call takes as long as it is told, and no CPU. */
export class Sleeper {
  async call(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

export const SleeperDeployment = deployment(Sleeper, { module: import.meta.url });
