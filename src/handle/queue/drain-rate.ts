/** Weight of a sample falls to 1/e in this time. */
const MEMORY_MS = 2_000;
/** Samples closer together than this say little and are added up. */
const LEAST_MS = 20;
/** Samples further apart than this are of another time. */
const STALE_MS = 500;

const FLOOR_MS = 1_000;
const CEILING_MS = 30_000;
/** So that those who are turned away together do not come back together. */
const JITTER = 0.5;

/** How fast a deployment takes calls out of its queue: calls that its replicas ended per ms, while calls wait. */
export class DrainRate {
  #perMs = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #pending = 0;

  /** Calls per ms; 0 while nothing is known. */
  get perMs(): number {
    return this.#perMs;
  }

  /** @param ended calls that ended since the last sample, for whichever caller. @param at in ms */
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
   * When the queue will have emptied, in ms: 1…30 s, and up to half as long again at random.
   * @param random 0…1
   */
  retryAfterMs(queued: number, random: number): number {
    const drainMs = this.#perMs === 0 ? FLOOR_MS : queued / this.#perMs;
    const base = Math.min(Math.max(drainMs, FLOOR_MS), CEILING_MS);
    return Math.round(base * (1 + JITTER * random));
  }
}
