import { deployment, transfer } from 'inserve';
import { type Ends, ends, type Small } from './work.ts';

export class Echo {
  async echo(payload: Small): Promise<Small> {
    return payload;
  }

  async measure(bytes: ArrayBuffer | SharedArrayBuffer): Promise<Ends> {
    return ends(bytes);
  }

  async bounce(bytes: ArrayBuffer) {
    return transfer(bytes, [bytes]);
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
