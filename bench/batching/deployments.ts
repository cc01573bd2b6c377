import { type Batched, type BatchOptions, batch, deployment } from 'inserve';
import { costMs, MAX_BATCH_SIZE } from './loads.ts';

/** Timers may be late by more than a millisecond; the rest of a wait is spent asking for the time. */
const TIMER_SLACK_MS = 2;

/** A model that takes `costMs(n)` for a batch, without CPU, as one on a GPU does. */
export class Model {
  readonly double: Batched<number, Promise<number>>;

  constructor(mode: NonNullable<BatchOptions['mode']>) {
    this.double = batch(
      { maxBatchSize: MAX_BATCH_SIZE, batchWaitTimeoutMs: 10, mode },
      async (items: number[]) => {
        const end = performance.now() + costMs(items.length);
        await new Promise((resolve) => setTimeout(resolve, costMs(items.length) - TIMER_SLACK_MS));
        while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
        return items.map((item) => item * 2);
      },
    );
  }
}

export const ModelDeployment = deployment(Model, { maxOngoingRequests: 512, module: import.meta.url });
