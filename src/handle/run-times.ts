/** Bucket `i` ends at 2^((i + 1) / 4) × this many ms: 19 % apart, from 0.1 ms to 2 min. */
const SMALLEST_MS = 0.1;
const PER_OCTAVE = 4;
const BUCKETS = 84;
/** Beyond this weight all counts are halved, so that what is old fades. */
const MOST = 512;
/** Fewer than so many observations say nothing. */
const LEAST = 20;

/** How long the calls of one method take from being sent to their result: quantiles of a fading log histogram. */
export class RunTimes {
  readonly #buckets = new Float64Array(BUCKETS);
  #weight = 0;
  #typicalMs = 0;
  #likelyMs = 0;
  #slowMs = 0;
  #sinceRead = 0;

  /**
   * @param ms of a call that was given up: how long it took at least
   * @param weight calls that this one stands for
   */
  observe(ms: number, weight = 1): void {
    const index = Math.floor(Math.log2(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * PER_OCTAVE);
    (this.#buckets[Math.min(index, BUCKETS - 1)] as number) += weight;
    this.#weight += weight;
    if (this.#weight > MOST) this.#fade();
    if (++this.#sinceRead >= 16 || this.#slowMs === 0) this.#read();
  }

  /** The median; 0 while too little is known. */
  get typicalMs(): number {
    return this.#typicalMs;
  }

  /** Nine of ten calls take no longer; 0 while too little is known. */
  get likelyMs(): number {
    return this.#likelyMs;
  }

  /** The 95th percentile; 0 while too little is known. */
  get slowMs(): number {
    return this.#slowMs;
  }

  /** Calls are refused for what is known here: it must not stay true only because nothing runs any more. */
  doubt(): void {
    this.#typicalMs *= 0.99;
    this.#likelyMs *= 0.99;
  }

  #fade(): void {
    this.#weight = 0;
    for (let index = 0; index < BUCKETS; index++) {
      (this.#buckets[index] as number) /= 2;
      this.#weight += this.#buckets[index] as number;
    }
  }

  #read(): void {
    if (this.#weight < LEAST) return;
    this.#sinceRead = 0;
    this.#typicalMs = this.#quantile(0.5);
    this.#likelyMs = this.#quantile(0.9);
    this.#slowMs = this.#quantile(0.95);
  }

  /** The geometric middle of the bucket that the quantile falls into: at most 10 % off. */
  #quantile(p: number): number {
    let left = p * this.#weight;
    let index = 0;
    for (; index < BUCKETS - 1; index++) {
      left -= this.#buckets[index] as number;
      if (left <= 0) break;
    }
    return SMALLEST_MS * 2 ** ((index + 0.5) / PER_OCTAVE);
  }
}
