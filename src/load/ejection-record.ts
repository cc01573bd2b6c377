// Words of the record.
const E_LEVEL = 0;
const E_UNTIL = 1;
const E_LAST_LEVEL = 2;
const E_RETURNED_AT = 3;
const E_CALLS = 4;
const E_FAILURES = 5;
const E_SIBLING_CALLS = 6;
const E_SIBLING_FAILURES = 7;
const WORDS = 8;

const MAX_WORD = 2 ** 31 - 1;

export const EJECTION_RECORD_BYTES: number = 4 * WORDS;

/** The calls that caused an ejection, and the calls of the other replicas at the same time. */
export interface EjectionEvidence {
  readonly calls: number;
  readonly failures: number;
  readonly siblingCalls: number;
  readonly siblingFailures: number;
}

/**
 * Ejection state of a replica, in memory that all caller threads and the host share: the decision of one thread holds
 * for all. The record decides nothing itself (see `handle/endpoints/outlier-ejection.ts`). Times are ms of the
 * instance's clock and wrap with 32 bits.
 */
export class EjectionRecord {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(EJECTION_RECORD_BYTES), byteOffset = 0) {
    this.#words = new Int32Array(shared, byteOffset, WORDS);
  }

  /** Number of ejections in a row; 0 = the replica is in service. */
  get level(): number {
    return Atomics.load(this.#words, E_LEVEL);
  }

  /** Time at which a call may next probe the replica. */
  get until(): number {
    return Atomics.load(this.#words, E_UNTIL);
  }

  /** The level at which the replica last came back; 0 = the replica was never ejected. */
  get lastLevel(): number {
    return Atomics.load(this.#words, E_LAST_LEVEL);
  }

  /** Time at which the replica last came back. */
  get returnedAt(): number {
    return Atomics.load(this.#words, E_RETURNED_AT);
  }

  get evidence(): EjectionEvidence {
    const words = this.#words;
    return {
      calls: Atomics.load(words, E_CALLS),
      failures: Atomics.load(words, E_FAILURES),
      siblingCalls: Atomics.load(words, E_SIBLING_CALLS),
      siblingFailures: Atomics.load(words, E_SIBLING_FAILURES),
    };
  }

  /** Takes the replica out of service; false if another thread was first. */
  leaveOut(level: number, until: number, evidence: EjectionEvidence): boolean {
    const words = this.#words;
    // The level is written last: a reader that sees it also sees the rest.
    Atomics.store(words, E_UNTIL, until | 0);
    Atomics.store(words, E_CALLS, Math.min(evidence.calls, MAX_WORD));
    Atomics.store(words, E_FAILURES, Math.min(evidence.failures, MAX_WORD));
    Atomics.store(words, E_SIBLING_CALLS, Math.min(evidence.siblingCalls, MAX_WORD));
    Atomics.store(words, E_SIBLING_FAILURES, Math.min(evidence.siblingFailures, MAX_WORD));
    return Atomics.compareExchange(words, E_LEVEL, 0, level) === 0;
  }

  /**
   * Claims the right to probe the replica with one call; false if another thread has the claim.
   * @param seen the time that was read from `until`
   * @param until time at which the claim lapses
   */
  claimProbe(seen: number, until: number): boolean {
    return Atomics.compareExchange(this.#words, E_UNTIL, seen, until | 0) === seen;
  }

  /** Prolongs the ejection of the replica. */
  prolong(level: number, until: number): void {
    Atomics.store(this.#words, E_UNTIL, until | 0);
    Atomics.store(this.#words, E_LEVEL, level);
  }

  /** Puts the replica back in service. */
  readmit(at: number): void {
    Atomics.store(this.#words, E_RETURNED_AT, at | 0);
    const level = Atomics.exchange(this.#words, E_LEVEL, 0);
    if (level !== 0) Atomics.store(this.#words, E_LAST_LEVEL, level);
  }
}
