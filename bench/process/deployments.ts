import { deployment } from 'inserve';
import type { Small } from '../threads/work.ts';

export class Echo {
  async echo(payload: Small): Promise<Small> {
    return payload;
  }

  async pid(): Promise<number> {
    return process.pid;
  }

  /** Ends when the process does. */
  async hang(): Promise<never> {
    return await new Promise<never>(() => {});
  }
}

export const EchoDeployment = deployment(Echo, {
  name: 'Echo',
  numReplicas: 1,
  maxOngoingRequests: 1024,
  maxQueuedRequests: -1,
  module: import.meta.url,
});
