/** How much an old sample still counts, per new one that says the same: about the last 20 matter. */
const FORGETTING = 0.95;
/** Until there are so many samples nothing is predicted. */
const MIN_SAMPLES = 4;

/**
 * Learns how long a batch takes as `a·n + b`, by recursive least squares with directional forgetting (Kulhavý, "Restricted
 * exponential forgetting in real-time identification", Automatica 23, 1987): a sample replaces older ones only as far as
 * it says the same. With plain exponential forgetting what is known of other sizes fades while all batches have one size,
 * and the covariance grows without bound: after 1,500 batches the model was wrong by a factor of three and learned
 * nothing any more.
 */
export class CostModel {
  /** Per item, ms. */
  #a = 0;
  /** Per batch, ms. */
  #b = 0;
  // The covariance of both, symmetric.
  #p11 = 1_000;
  #p12 = 0;
  #p22 = 1_000;
  #samples = 0;

  /** A batch of `n` items took `ms`. */
  observe(n: number, ms: number): void {
    this.#samples++;
    const g1 = this.#p11 * n + this.#p12;
    const g2 = this.#p12 * n + this.#p22;
    /** How uncertain the prediction for `n` was, in units of one sample. */
    const decay = g1 * n + g2;
    const error = (ms - (this.#a * n + this.#b)) / (1 + decay);
    this.#a += g1 * error;
    this.#b += g2 * error;
    const gained = (FORGETTING - (1 - FORGETTING) / decay) / (FORGETTING * (1 + decay));
    this.#p11 -= gained * g1 * g1;
    this.#p12 -= gained * g1 * g2;
    this.#p22 -= gained * g2 * g2;
  }

  /** Whether there is anything to go by. */
  get isKnown(): boolean {
    return this.#samples >= MIN_SAMPLES;
  }

  /** What a batch costs beside its items, in ms; 0 while unknown. */
  get fixedMs(): number {
    return this.isKnown ? Math.max(0, this.#b) : 0;
  }

  /** How long a batch of `n` will take, in ms; 0 while unknown. */
  predict(n: number): number {
    return this.isKnown ? Math.max(0, this.#a * n + this.#b) : 0;
  }
}
