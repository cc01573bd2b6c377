import { setTimeout as sleep } from 'node:timers/promises';
import type { Serve } from 'inserve';

/** `run` resolves with the first replica that can serve; the others' starts must not be measured. */
export async function allRunning(serve: Serve): Promise<void> {
  const isHealthy = () =>
    Object.values(serve.status().apps).every(({ deployments }) =>
      Object.values(deployments).every(({ status }) => status === 'HEALTHY'),
    );
  while (!isHealthy()) await sleep(10);
}
