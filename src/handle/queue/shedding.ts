import { time } from '../../time/clock.ts';
import type { Call } from '../call/call.ts';
import type { Counters, ShedReason } from '../call/counters.ts';
import { DrainRate } from './drain-rate.ts';
import { shedError } from './shed-error.ts';
import type { Turnstile } from './turnstile.ts';

/** Turns calls away, and says when it is worth coming again. */
export class Shedding {
  readonly #counters: Counters;
  readonly #turnstile: Turnstile;
  readonly #drainRate = new DrainRate();

  constructor(counters: Counters, turnstile: Turnstile) {
    this.#counters = counters;
    this.#turnstile = turnstile;
  }

  /** Replicas ended so many calls since the last time. */
  sample(ended: number, at: number): void {
    this.#drainRate.sample(ended, at);
  }

  /** Turns a call away that has not started. */
  shed(call: Call, reason: ShedReason): void {
    this.#counters.add(`shed_${reason}`);
    const { queued, maxQueued } = this.#turnstile;
    const retryAfterMs = this.#drainRate.retryAfterMs(queued, time.random());
    call.refuse(shedError(reason, call, { queued, maxQueued, retryAfterMs }));
  }
}
