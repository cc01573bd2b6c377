/** The factor by which a new sample reduces the weight of similar older ones, so that about the last 20 count. */
const FORGETTING = 0.95;
/** The number of samples below which nothing is predicted. */
const MIN_SAMPLES = 4;

/**
 * Learns the duration of a batch as `a·n + b`, by recursive least squares with directional forgetting (Kulhavý, "Restricted
 * exponential forgetting in real-time identification", Automatica 23, 1987): a sample reduces the weight of older ones only in
 * its own direction. With plain exponential forgetting the knowledge of other sizes fades while all batches have one size, and
 * the covariance grows without bound: after 1,500 batches the model was wrong by a factor of three and had stopped learning.
 */
export class CostModel {
  /** The cost per item, in ms. */
  #a = 0;
  /** The cost per batch, in ms. */
  #b = 0;
  // The covariance of both costs, a symmetric matrix.
  #p11 = 1_000;
  #p12 = 0;
  #p22 = 1_000;
  #samples = 0;

  /** Learns that a batch of `n` items took `ms` milliseconds. */
  observe(n: number, ms: number): void {
    this.#samples++;
    const g1 = this.#p11 * n + this.#p12;
    const g2 = this.#p12 * n + this.#p22;
    /** The variance of the prediction for `n`, in units of one sample. */
    const variance = g1 * n + g2;
    const error = (ms - (this.#a * n + this.#b)) / (1 + variance);
    this.#a += g1 * error;
    this.#b += g2 * error;
    const gained = (FORGETTING - (1 - FORGETTING) / variance) / (FORGETTING * (1 + variance));
    this.#p11 -= gained * g1 * g1;
    this.#p12 -= gained * g1 * g2;
    this.#p22 -= gained * g2 * g2;
  }

  /** Whether there are enough samples to predict. */
  get isKnown(): boolean {
    return this.#samples >= MIN_SAMPLES;
  }

  /** The cost of a batch beside its items, in ms; 0 while unknown. */
  get fixedMs(): number {
    return this.isKnown ? Math.max(0, this.#b) : 0;
  }

  /** The predicted duration of a batch of `n` items, in ms; 0 while unknown. */
  predict(n: number): number {
    return this.isKnown ? Math.max(0, this.#a * n + this.#b) : 0;
  }
}
