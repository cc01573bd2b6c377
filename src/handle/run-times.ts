/** Buckets are 4 % apart: bucket `i` holds the times up to `SMALLEST_MS × GROWTH^i`, from 0.05 ms to 10 min. */
const SMALLEST_MS = 0.05;
const GROWTH = 1.04;
const BUCKETS = 417;
const PER_E_FOLD = 1 / Math.log(GROWTH);
/** Beyond this weight all counts are halved, so that old calls fade. */
const MOST = 2_048;
/** A count below this has faded. */
const FADED = 0.01;
/** Fewer observations say nothing. */
const LEAST = 20;
/** What happens after a duration is known if this many calls ran for that long. */
const LEAST_RUNNING = 8;
/** What is known is in doubt once no call ran for this long, in ms, or for the method's own p95 if that is longer. */
const SILENCE_MS = 1_000;

/**
 * How long the calls of one method run: a fading log histogram with a relative error of 2 % (DDSketch: Masson, Rim, Lee
 * 2019). Times are read at the upper edges of their buckets, so that an estimate is never below the true value: a call
 * that is started with just the estimated time left would end just too late otherwise.
 *
 * Calls that were given up count with the time that they had (Kaplan, Meier 1958). Without them only the fast calls would
 * be known; taken for finished ones they would make every deadline look like the usual duration.
 */
export class RunTimes {
  readonly #ended = new Float32Array(BUCKETS);
  readonly #givenUp = new Float32Array(BUCKETS);
  /** Share of the calls that end within a bucket or one below it. */
  readonly #share = new Float64Array(BUCKETS);
  #weight = 0;
  /** The last bucket with a call in it, and with one that ended. */
  #highest = 0;
  #longest = 0;
  /** The last bucket of which enough is known. */
  #knownTo = 0;
  #p50Ms = 0;
  #p95Ms = 0;
  #isStale = false;
  /** When a call was sent from the queue, or ended, last. */
  #activeAt = 0;
  /** The call that was sent last was sent in doubt. */
  #isOnTrial = false;

  /**
   * @param at when the call ended or was given up
   * @param hasEnded false: it was given up after that time
   * @param weight calls that this one stands for
   */
  observe(ms: number, at: number, hasEnded = true, weight = 1): void {
    const bucket = bucketOf(ms);
    let counted = weight;
    if (this.#isOnTrial) {
      this.#isOnTrial = false;
      // What was known proved wrong, and few calls will run until that shows: this one counts for as much as all before.
      if (hasEnded && ms < this.p50Ms) counted = Math.max(weight, this.#weight);
    }
    (this.#buckets(hasEnded)[bucket] as number) += counted;
    this.#weight += counted;
    this.#activeAt = at;
    this.#isStale = true;
    if (bucket > this.#highest) this.#highest = bucket;
    if (this.#weight > MOST) this.#fade();
  }

  /** A call was sent from the queue. */
  began(at: number): void {
    if (this.isInDoubt(at)) this.#isOnTrial = true;
    this.#activeAt = at;
  }

  get isKnown(): boolean {
    return this.#weight >= LEAST;
  }

  /** The median; 0 while too little is known. */
  get p50Ms(): number {
    this.#read();
    return this.#p50Ms;
  }

  /**
   * The 95th percentile, or the longest known duration where more than 5 % of the calls are given up; 0 while too little
   * is known.
   */
  get p95Ms(): number {
    this.#read();
    return this.#p95Ms;
  }

  /** The probability that a call ends within so many ms, as far as is known. */
  chance(ms: number): number {
    this.#read();
    const bucket = Math.floor(Math.log(ms / SMALLEST_MS) * PER_E_FOLD);
    return bucket < 0 ? 0 : (this.#share[Math.min(bucket, this.#highest)] as number);
  }

  /** The same where nothing is known against it. */
  bestChance(ms: number): number {
    this.#read();
    return bucketOf(ms) > this.#knownTo ? 1 : this.chance(ms);
  }

  /**
   * Whether what is known may be out of date: no call of the method ran for a while. Calls are refused for what is known,
   * and that must not stay true only because none runs any more.
   */
  isInDoubt(at: number): boolean {
    this.#read();
    const isBounded = (this.#share[this.#highest] as number) >= 0.95;
    return at - this.#activeAt > Math.max(SILENCE_MS, isBounded ? this.#p95Ms : upperEdge(this.#highest));
  }

  #buckets(hasEnded: boolean): Float32Array {
    return hasEnded ? this.#ended : this.#givenUp;
  }

  #fade(): void {
    this.#weight = 0;
    this.#highest = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const left = fade(this.#ended, bucket) + fade(this.#givenUp, bucket);
      this.#weight += left;
      if (left > 0) this.#highest = bucket;
    }
  }

  #read(): void {
    if (!this.#isStale || !this.isKnown) return;
    this.#isStale = false;
    let atRisk = this.#weight;
    let running = 1;
    this.#longest = 0;
    this.#knownTo = 0;
    for (let bucket = 0; bucket <= this.#highest; bucket++) {
      const ended = this.#ended[bucket] as number;
      if (ended > 0) {
        running = ended < atRisk - FADED / 2 ? running * (1 - ended / atRisk) : 0;
        this.#longest = bucket;
      }
      if (atRisk >= LEAST_RUNNING) this.#knownTo = bucket;
      this.#share[bucket] = 1 - running;
      atRisk -= ended + (this.#givenUp[bucket] as number);
    }
    this.#p50Ms = this.#quantile(0.5);
    this.#p95Ms = this.#quantile(0.95);
  }

  #quantile(p: number): number {
    if (this.#share[this.#longest] === 0) return 0;
    let bucket = 0;
    // 1e-9: the shares are products of many factors.
    while (bucket < this.#longest && (this.#share[bucket] as number) < p - 1e-9) bucket++;
    return upperEdge(bucket);
  }
}

function bucketOf(ms: number): number {
  const bucket = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * PER_E_FOLD);
  return Math.min(bucket, BUCKETS - 1);
}

function upperEdge(bucket: number): number {
  return SMALLEST_MS * GROWTH ** bucket;
}

/** Halves a count and answers what is left of it. */
function fade(counts: Float32Array, bucket: number): number {
  const half = (counts[bucket] as number) / 2;
  counts[bucket] = half < FADED ? 0 : half;
  return counts[bucket] as number;
}
