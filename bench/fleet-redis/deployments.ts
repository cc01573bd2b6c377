import { deployment } from 'inserve';

/** Answers what it got. */
export class Echo {
  call(value: number): number {
    return value;
  }
}

export const EchoDeployment = deployment(Echo, { maxOngoingRequests: 16, module: import.meta.url });
