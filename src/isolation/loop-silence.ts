import type { ActiveTime } from '../time/active-time.ts';

/** Longest pass that counts in full, in ms. A longer pass shows that the watching loop itself was blocked. */
const LONGEST_PASS_MS = 1_000;

/**
 * Measures how long the event loop of a replica has been silent, counted in passes of the watch: time for which the watch
 * itself did not run is not silence of the replica.
 */
export class LoopSilence {
  #lastTick = Number.NaN;
  #silentMs = 0;
  #lookedAt = 0;
  #pausedBefore = 0;
  #pausedAtTick = 0;
  #pausedMs = 0;

  /** Pauses of the whole process since the last tick, in ms. */
  get pausedMs(): number {
    return this.#pausedMs;
  }

  /**
   * @param lastTick time of the last tick of the replica's loop; wraps with 32 bits
   * @param at time of `clock.now()`
   * @returns the silence of the loop in ms
   */
  look(lastTick: number, at: number, active: Pick<ActiveTime, 'now' | 'pausedMs'>): number {
    const lookedAt = active.now();
    const { pausedMs } = active;
    // It is unknown yet whether the replica's loop turns again after the pause.
    const isAfterPause = pausedMs !== this.#pausedBefore;
    const passedMs = isAfterPause ? 0 : Math.min(lookedAt - this.#lookedAt, LONGEST_PASS_MS);
    this.#lookedAt = lookedAt;
    this.#pausedBefore = pausedMs;
    if (lastTick === this.#lastTick) {
      this.#silentMs += passedMs;
    } else {
      this.#lastTick = lastTick;
      this.#silentMs = Math.min(Math.max(0, (at - lastTick) | 0), passedMs);
      this.#pausedAtTick = pausedMs;
    }
    this.#pausedMs = pausedMs - this.#pausedAtTick;
    return Math.floor(this.#silentMs);
  }
}
