import { MAX_FRAMES } from '../time/loop.ts';

/** Calls that the mean reaches back over. */
const WINDOW = 10;
/** Below this mean, in ms, calls are quick: they are begun as they come, and their results are coalesced. */
export const QUICK_MS = 0.2;
/** As much work may wait at the replica, in ms, so that it never idles while the next call is on its way. */
const AHEAD_MS = 1;
/** From this mean on nothing waits at a replica whose loop is held: the way there is short against the call. */
const LONG_MS = 4;

/** Answers are collected for so long at most, in ms of work: 16 of 0.1 ms at a time left a replica idle for a quarter of it. */
const COLLECTED_MS = 0.4;
/** Below this, in ms, a thousand more or less make no difference. */
const SHORTEST_MS = 0.001;

/**
 * How long a call holds the event loop of its replica, on average, and how many calls may wait there for the loop.
 *
 * The mean, not the median: where one call in a hundred takes 200 ms, most calls that wait at the replica wait for that
 * one (with 0.1 and 208 ms the median gave 1.55 times the ideal wait, the mean 1.1).
 */
export class HoldingTime {
  #meanMs = 0;
  #calls = 0;
  #expectedMs: number | undefined = undefined;

  /** @param activeMs time for which the loop was busy @param ended calls that ended meanwhile, at least 1 */
  observe(activeMs: number, ended: number): void {
    const isFirst = this.#calls === 0;
    this.#calls = Math.min(this.#calls + ended, WINDOW);
    const weight = isFirst ? 1 : 1 - (1 - 1 / this.#calls) ** ended;
    this.#meanMs += (activeMs / ended - this.#meanMs) * weight;
  }

  /** The first calls have begun, and held the loop for so long before they waited for something, in ms. None has ended. */
  expect(ms: number): void {
    if (this.#calls === 0) this.#expectedMs = ms;
  }

  /** Undefined until the first call ended. */
  get meanMs(): number | undefined {
    return this.#calls === 0 ? undefined : this.#meanMs;
  }

  /** Whether calls hold the loop so briefly that it pays to coalesce them. */
  get isQuick(): boolean {
    return this.#calls > 0 && this.#meanMs < QUICK_MS;
  }

  /**
   * Answers of quick calls that are collected before they are posted: those of a short while, so that callers send the next
   * ones meanwhile. Those of others leave before the next call begins; where many end together, as with a batch, one message
   * for each took half of the CPU.
   */
  get answersPerMessage(): number {
    if (!this.isQuick) return MAX_FRAMES;
    return Math.max(1, Math.min(MAX_FRAMES, Math.floor(COLLECTED_MS / Math.max(this.#meanMs, SHORTEST_MS))));
  }

  /** Calls that may wait at the replica. @param isHeld a call holds the loop now */
  ahead(isHeld: boolean): number {
    const ms = this.#calls === 0 ? this.#expectedMs : this.#meanMs;
    if (ms === undefined) return 1;
    if (ms < AHEAD_MS) return Math.floor(AHEAD_MS / Math.max(ms, SHORTEST_MS));
    return ms < LONG_MS || !isHeld ? 1 : 0;
  }
}
