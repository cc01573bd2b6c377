/** How much an old sample still counts, per new one: about the last 50 matter (BentoML's window, without its refits). */
const FORGETTING = 0.98;
/** Until there are so many samples nothing is predicted. */
const MIN_SAMPLES = 4;

/**
 * Learns how long a batch takes as `a·n + b`, by recursive least squares with exponential forgetting (Haykin, "Adaptive
 * Filter Theory", ch. 10), one update of a few multiplications per batch.
 */
export class CostModel {
  /** Per item, ms. */
  #a = 0;
  /** Per batch, ms. */
  #b = 0;
  // The inverse correlation matrix, symmetric.
  #p11 = 1_000;
  #p12 = 0;
  #p22 = 1_000;
  #samples = 0;

  /** A batch of `n` items took `ms`. */
  observe(n: number, ms: number): void {
    this.#samples++;
    const g1 = this.#p11 * n + this.#p12;
    const g2 = this.#p12 * n + this.#p22;
    const scale = FORGETTING + n * g1 + g2;
    const k1 = g1 / scale;
    const k2 = g2 / scale;
    const error = ms - (this.#a * n + this.#b);
    this.#a += k1 * error;
    this.#b += k2 * error;
    const p12 = this.#p12;
    this.#p11 = (this.#p11 - k1 * g1) / FORGETTING;
    this.#p12 = (p12 - k1 * g2) / FORGETTING;
    this.#p22 = (this.#p22 - k2 * g2) / FORGETTING;
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
