const H_COUNT = 0;
const H_FIRST = 1;
/** Maximum number of replicas behind one endpoint that callers know of. */
export const MAX_KNOWN_REPLICAS = 255;
const TABLE_BYTES = 4 * (H_FIRST + MAX_KNOWN_REPLICAS);

/** Hashes by which sessions rank the replicas behind one endpoint. */
export interface ReplicaHashes {
  readonly count: number;
  /** @param index less than `count` */
  at(index: number): number;
}

/**
 * The hashes of the replicas behind an endpoint of another instance, in memory that the threads of this instance share.
 * One thread writes the table. A reader that is quicker than the writer may rank a session by an outdated replica.
 */
export class ReplicaHashTable implements ReplicaHashes {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(TABLE_BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  get count(): number {
    return Atomics.load(this.#words, H_COUNT);
  }

  at(index: number): number {
    return Atomics.load(this.#words, H_FIRST + index) >>> 0;
  }

  write(hashes: readonly number[]): void {
    const known = hashes.slice(0, MAX_KNOWN_REPLICAS);
    for (const [index, hash] of known.entries()) Atomics.store(this.#words, H_FIRST + index, hash | 0);
    Atomics.store(this.#words, H_COUNT, known.length);
  }
}
