/** Buckets are 4 % apart: bucket `i` holds the times up to `SMALLEST_MS × GROWTH^i`, from 0.05 ms to 10 min. */
const SMALLEST_MS = 0.05;
const GROWTH = 1.04;
const BUCKETS = 417;
const PER_E_FOLD = 1 / Math.log(GROWTH);
/** Beyond this weight all counts are halved, so that old calls fade. */
const MOST = 2_048;
/** A count below this has faded. */
const FADED = 0.01;
const ROUNDING = 1e-9;
/** Minimum number of observations for an estimate. */
const LEAST = 20;
/** Minimum number of calls that must have run for a duration before longer durations are estimated. */
const LEAST_RUNNING = 8;
/** Greatest share of calls by which readings may lag behind: one call in a thousand changes no estimate. */
const UNREAD = 1 / 200;
/** The estimates are in doubt once no call ran for this time, in ms, or for the method's own p95 if that is longer. */
const SILENCE_MS = 1_000;

/**
 * The run times of one method: a fading log histogram with a relative error of 2 % (DDSketch: Masson, Rim, Lee 2019).
 * Times are read at the upper edges of their buckets, so that an estimate is never below the true value: a call that is
 * started with just the estimated time left would end just too late otherwise.
 *
 * Calls that were given up count with the time that they ran (Kaplan, Meier 1958). Without them only the fast calls
 * would be known; counted as finished, abandoned calls would make every deadline look like the usual duration.
 */
export class RunTimes {
  readonly #ended = new Float32Array(BUCKETS);
  readonly #givenUp = new Float32Array(BUCKETS);
  /** Share of the calls that end within a bucket or one below it. */
  readonly #share = new Float64Array(BUCKETS);
  #weight = 0;
  /** Weight of the calls that came after the last reading. */
  #unread = 0;
  /** The first and the last bucket with a call in it. */
  #lowest: number = BUCKETS;
  #highest = 0;
  /** Bucket range of the last reading, and the last bucket with enough observations. */
  #readFrom = 0;
  #readTo = 0;
  #knownTo = 0;
  #p50Ms = 0;
  #p95Ms = 0;
  #longestMs = 0;
  /** Time at which a call was last sent from the queue, or ended. */
  #activeAt = 0;
  /** Whether the last call was sent while the estimates were in doubt. */
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
      // The estimates proved wrong, and few calls will run until that shows: this call counts for as much as all
      // earlier ones.
      if (hasEnded && ms < this.p50Ms) counted = Math.max(weight, this.#weight);
    }
    (this.#buckets(hasEnded)[bucket] as number) += counted;
    this.#weight += counted;
    this.#unread += counted;
    this.#activeAt = at;
    if (bucket < this.#lowest) this.#lowest = bucket;
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

  /**
   * Every known call ended within this time; 0 while too little is known, infinite if the longest-running calls were
   * given up.
   */
  get longestMs(): number {
    this.#read();
    return this.#longestMs;
  }

  /** The estimated probability that a call ends within this many ms. */
  chance(ms: number): number {
    this.#read();
    const bucket = wholeBucketsIn(ms);
    return bucket < this.#readFrom ? 0 : (this.#share[Math.min(bucket, this.#readTo)] as number);
  }

  /** The upper estimate of `chance`: 1 where too few observations exist. */
  bestChance(ms: number): number {
    this.#read();
    return bucketOf(ms) > this.#knownTo ? 1 : this.chance(ms);
  }

  /** Whether no call ran for half of this time or more, so that nothing is known of a call that may run for so long. */
  isUnknownAt(ms: number): boolean {
    this.#read();
    return wholeBucketsIn(ms / 2) > this.#readTo;
  }

  /**
   * Whether the estimates may be out of date because no call of the method ran for a while. Estimates cause calls to be
   * refused, and must not stay in force only because no call runs any more.
   */
  isInDoubt(at: number): boolean {
    this.#read();
    const isBounded = (this.#share[this.#readTo] as number) >= 0.95;
    return at - this.#activeAt > Math.max(SILENCE_MS, isBounded ? this.#p95Ms : upperEdge(this.#readTo));
  }

  #buckets(hasEnded: boolean): Float32Array {
    return hasEnded ? this.#ended : this.#givenUp;
  }

  #fade(): void {
    this.#weight = 0;
    this.#lowest = BUCKETS;
    this.#highest = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const left = fade(this.#ended, bucket) + fade(this.#givenUp, bucket);
      if (left === 0) continue;
      this.#weight += left;
      this.#lowest = Math.min(this.#lowest, bucket);
      this.#highest = bucket;
    }
  }

  #read(): void {
    if (this.#unread <= this.#weight * UNREAD || !this.isKnown) return;
    this.#unread = 0;
    this.#knownTo = 0;
    this.#readFrom = this.#lowest;
    this.#readTo = this.#highest;
    const [ended, givenUp, share] = [this.#ended, this.#givenUp, this.#share];
    let atRisk = this.#weight;
    let running = 1;
    let [p50, p95, longest] = [-1, -1, -1];
    for (let bucket = this.#readFrom; bucket <= this.#readTo; bucket++) {
      const endedHere = ended[bucket] as number;
      if (endedHere > 0) {
        running = endedHere < atRisk - FADED / 2 ? running * (1 - endedHere / atRisk) : 0;
        longest = bucket;
        // The shares are products of many factors.
        if (p50 < 0 && running <= 0.5 + ROUNDING) p50 = bucket;
        if (p95 < 0 && running <= 0.05 + ROUNDING) p95 = bucket;
      }
      if (atRisk >= LEAST_RUNNING) this.#knownTo = bucket;
      share[bucket] = 1 - running;
      atRisk -= endedHere + (givenUp[bucket] as number);
    }
    this.#p50Ms = upperEdge(p50 < 0 ? longest : p50);
    this.#p95Ms = upperEdge(p95 < 0 ? longest : p95);
    this.#longestMs = running === 0 ? upperEdge(longest) : Infinity;
  }
}

function bucketOf(ms: number): number {
  const bucket = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * PER_E_FOLD);
  return Math.min(bucket, BUCKETS - 1);
}

/** The last bucket whose times are all within this many ms. */
function wholeBucketsIn(ms: number): number {
  return Math.floor(Math.log(ms / SMALLEST_MS) * PER_E_FOLD);
}

/** The upper edge of a bucket; 0 of no bucket. */
function upperEdge(bucket: number): number {
  return bucket < 0 ? 0 : SMALLEST_MS * GROWTH ** bucket;
}

/** Halves a count and returns the rest. */
function fade(counts: Float32Array, bucket: number): number {
  const half = (counts[bucket] as number) / 2;
  counts[bucket] = half < FADED ? 0 : half;
  return counts[bucket] as number;
}
