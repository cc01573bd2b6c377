/** Pause before the first dial after a failure, in ms. It doubles with each further failure. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The pause before a peer is dialled again, in ms: exponential back-off with full jitter.
 *
 * @param failures in a row, at least 1
 * @param chance a random number, 0…1
 */
export function redialPauseMs(failures: number, chance: number): number {
  return chance * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
}
