import { deployment } from 'inserve';
import { CHUNKS, type Ends, measure, type Small } from './work.ts';

export class Echo {
  async echo(payload: Small): Promise<Small> {
    return payload;
  }

  async measure(bytes: Uint8Array): Promise<Ends> {
    return measure(bytes);
  }

  async *stream(): AsyncGenerator<Small> {
    for (let x = 0; x < CHUNKS; x++) yield { x };
  }
}

export const EchoDeployment = deployment(Echo, {
  name: 'Echo',
  numReplicas: 1,
  // Raised so that 256 calls in flight are carried, not queued; everything else as users get it.
  maxOngoingRequests: 1024,
  maxQueuedRequests: -1,
  module: import.meta.url,
});
