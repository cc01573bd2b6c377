import { time } from '../../time/clock.ts';
import type { Call } from '../call/call.ts';
import type { Counters } from '../call/counters.ts';
import { DrainRate } from '../queue/drain-rate.ts';
import type { SharedWaitQueue } from '../queue/shared-wait-queue.ts';
import type { ShedReason } from '../queue/shed-reason.ts';
import { shedError } from './shed-error.ts';

/** Rejects calls, and tells when a retry is worthwhile. */
export class Shedding {
  readonly #counters: Counters;
  readonly #sharedQueue: SharedWaitQueue;
  readonly #drainRate = new DrainRate();

  constructor(counters: Counters, sharedQueue: SharedWaitQueue) {
    this.#counters = counters;
    this.#sharedQueue = sharedQueue;
  }

  /** Records how many calls the replicas ended since the last sample. */
  sample(ended: number, at: number): void {
    this.#drainRate.sample(ended, at);
  }

  /** Rejects a call that has not started. */
  shed(call: Call, reason: ShedReason): void {
    this.#counters.add(`shed_${reason}`);
    const { queued, maxQueued } = this.#sharedQueue;
    const retryAfterMs = this.#drainRate.retryAfterMs(queued, time.random());
    call.reject(shedError(reason, call, { queued, maxQueued, retryAfterMs }));
  }
}
