/** Weight of a sample falls to 1/e in this time. */
const MEMORY_MS = 2_000;
/** Samples closer together than this, in ms, are too noisy and are added up. */
const LEAST_MS = 20;
/** Samples further apart than this, in ms, are unrelated. */
const STALE_MS = 500;

const FLOOR_MS = 1_000;
const CEILING_MS = 30_000;
/** Random share that is added to the time, so that callers rejected together do not return together. */
const JITTER = 0.5;

/** Rate at which a deployment drains its queue: calls that its replicas end per ms, while calls wait. */
export class DrainRate {
  #perMs = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #pending = 0;

  /** Calls per ms; 0 while unknown. */
  get perMs(): number {
    return this.#perMs;
  }

  /** @param ended calls of all callers that ended since the last sample. @param at in ms */
  sample(ended: number, at: number): void {
    const interval = at - this.#sampledAt;
    if (interval > STALE_MS) {
      this.#pending = 0;
      this.#sampledAt = at;
      return;
    }
    this.#pending += ended;
    if (interval < LEAST_MS) return;
    const rate = this.#pending / interval;
    const weight = this.#perMs === 0 ? 1 : 1 - Math.exp(-interval / MEMORY_MS);
    this.#perMs += (rate - this.#perMs) * weight;
    this.#pending = 0;
    this.#sampledAt = at;
  }

  /**
   * Estimated time until the queue is empty, in ms: 1…30 s, and up to half as long again at random.
   * @param random 0…1
   */
  retryAfterMs(queued: number, random: number): number {
    const drainMs = this.#perMs === 0 ? FLOOR_MS : queued / this.#perMs;
    const base = Math.min(Math.max(drainMs, FLOOR_MS), CEILING_MS);
    return Math.round(base * (1 + JITTER * random));
  }
}
