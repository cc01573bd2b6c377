import { MAX_FRAMES } from '../time/loop.ts';

/** Number of calls that the mean covers. */
const WINDOW = 10;
/** Below this mean, in ms, calls are quick: they begin as they arrive, and their results are coalesced. */
export const QUICK_MS = 0.2;
/** Amount of work that may wait at the replica, in ms, so that it never idles while the next call is on its way. */
const AHEAD_MS = 1;
/**
 * Mean, in ms, from which no call waits at a replica whose loop is held: the transfer is short compared with the call.
 */
const LONG_MS = 4;

/**
 * Maximum amount of work whose answers are collected, in ms: 16 answers of 0.1 ms at a time left a replica idle for a
 * quarter of it.
 */
const COLLECTED_MS = 0.4;
/** Mean, in ms, below which further calls make no difference. */
const SHORTEST_MS = 0.001;

/**
 * Tracks the mean time that a call holds the event loop of its replica, and how many calls may wait there for the loop.
 *
 * The mean is used, not the median: where one call in a hundred takes 200 ms, most calls that wait at the replica wait
 * for that one (with 0.1 and 208 ms the median gave 1.55 times the ideal wait, the mean 1.1).
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

  /**
   * The first calls have begun and held the loop for this time, in ms, before they awaited something. No call has
   * ended.
   */
  expect(ms: number): void {
    if (this.#calls === 0) this.#expectedMs = ms;
  }

  /** Mean holding time, in ms; undefined until the first call ended. */
  get meanMs(): number | undefined {
    return this.#calls === 0 ? undefined : this.#meanMs;
  }

  /** Whether calls hold the loop so briefly that it pays to coalesce them. */
  get isQuick(): boolean {
    return this.#calls > 0 && this.#meanMs < QUICK_MS;
  }

  /**
   * Number of answers that are collected before they are posted. Answers of quick calls are collected for a short
   * while, so that callers send the next calls meanwhile. Answers of other calls leave before the next call begins;
   * where many calls end together, as in a batch, one message for each took half of the CPU.
   */
  get answersPerMessage(): number {
    if (!this.isQuick) return MAX_FRAMES;
    return Math.max(1, Math.min(MAX_FRAMES, Math.floor(COLLECTED_MS / Math.max(this.#meanMs, SHORTEST_MS))));
  }

  /** Number of calls that may wait at the replica. @param isHeld a call holds the loop now */
  ahead(isHeld: boolean): number {
    const ms = this.#calls === 0 ? this.#expectedMs : this.#meanMs;
    if (ms === undefined) return 1;
    if (ms < AHEAD_MS) return Math.floor(AHEAD_MS / Math.max(ms, SHORTEST_MS));
    return ms < LONG_MS || !isHeld ? 1 : 0;
  }
}
