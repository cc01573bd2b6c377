/** Samples per block, of which only the smallest counts: memory left after a garbage collection is in real use. */
const PER_BLOCK = 3;
/** Number of blocks that the trend test examines. */
const WINDOW = 12;
/** Fewer blocks prove nothing: with six, the test reaches its level only if nearly all pairs rise. */
const LEAST = 6;
/** One-sided 99 % quantile of the normal distribution. */
const Z_99 = 2.326;

/** The memory of one replica over time. */
export class MemorySeries {
  readonly #blocks: number[] = [];
  #block: number[] = [];
  #baseline = Number.POSITIVE_INFINITY;
  #blocksSeen = 0;

  add(bytes: number): void {
    this.#block.push(bytes);
    if (this.#block.length < PER_BLOCK) return;
    const least = Math.min(...this.#block);
    this.#block = [];
    this.#blocks.push(least);
    if (this.#blocks.length > WINDOW) this.#blocks.shift();
    // Loading a model is not a leak: only the samples after the first blocks count.
    if (++this.#blocksSeen <= LEAST / 2) this.#baseline = least;
  }

  /** Bytes of growth since the start while the memory is still growing; else 0. */
  get growth(): number {
    if (this.#blocks.length < LEAST || !isRising(this.#blocks)) return 0;
    return Math.max(0, (this.#blocks.at(-1) as number) - this.#baseline);
  }
}

/**
 * Mann–Kendall trend test (Mann 1945, Kendall 1975), one-sided at 1 %: counts only how many of all pairs rise, so neither
 * the size of a step nor the shape of the noise matters.
 */
export function isRising(values: readonly number[]): boolean {
  const n = values.length;
  let score = 0;
  for (let later = 1; later < n; later++)
    for (let earlier = 0; earlier < later; earlier++)
      score += Math.sign((values[later] as number) - (values[earlier] as number));
  const variance = (n * (n - 1) * (2 * n + 5)) / 18;
  return (score - 1) / Math.sqrt(variance) > Z_99;
}
