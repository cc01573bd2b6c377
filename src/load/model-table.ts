import { time } from '../time/clock.ts';

const M_COUNT = 0;
const M_LOAD = 1;
const M_STALEST = 2;
const M_KEEPS = 3;
const M_REVISION = 4;
/** First word of the models' hashes, which stand on cache lines of their own. */
const M_FIRST = 16;
/** Maximum number of a replica's models that callers know of: the last ones loaded. */
export const MAX_KNOWN_MODELS = 48;
export const MODEL_TABLE_BYTES: number = 4 * (M_FIRST + MAX_KNOWN_MODELS);

/** Units per ms in which durations are shared. */
const UNITS = 16;
const MAX_WORD = 2 ** 31 - 1;

/** The callers' view of a replica's multiplexed models. */
export interface ReplicaModels {
  /** Whether the replica's code keeps models with `multiplexed()`. */
  readonly keepsModels: boolean;
  /** Number of models that the replica holds or loads. */
  readonly count: number;
  /** Mean time of a load, in ms; 0 = unknown. */
  readonly loadMs: number;
  /**
   * When the model that would make room for the next one was last used, in ms of the instance's clock (wraps with 32
   * bits); 0 = the replica has room for another model.
   */
  readonly stalestAt: number;
  /**
   * Whether the replica holds a model, by the hash of its id. The answer may be outdated: it is a preference, not a
   * guarantee.
   */
  holds(hash: number): boolean;
  /** Hash of one model; undefined beyond the last model that callers know of. */
  at(index: number): number | undefined;
}

/**
 * The part of a replica's load table that says which models it holds. The replica writes the table, callers read it.
 */
export class ModelTable implements ReplicaModels {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(shared, byteOffset, MODEL_TABLE_BYTES / 4);
  }

  get keepsModels(): boolean {
    return Atomics.load(this.#words, M_KEEPS) === 1;
  }

  set keepsModels(keeps: boolean) {
    Atomics.store(this.#words, M_KEEPS, Number(keeps));
    this.#changed();
  }

  /** Number of changes so far (wraps with 32 bits), other than those of `stalestAt`. */
  get revision(): number {
    return Atomics.load(this.#words, M_REVISION);
  }

  /** Resolves once the revision is another one, or at `endWaits`. Does not keep the process alive. */
  waitChanged(seen: number): Promise<unknown> {
    return time.wait(this.#words, M_REVISION, seen);
  }

  /** Ends the waits of `waitChanged`: the replica is gone. */
  endWaits(): void {
    Atomics.notify(this.#words, M_REVISION);
  }

  get count(): number {
    return Atomics.load(this.#words, M_COUNT);
  }

  get #known(): number {
    return Math.min(this.count, MAX_KNOWN_MODELS);
  }

  at(index: number): number | undefined {
    return index < this.#known ? Atomics.load(this.#words, M_FIRST + index) >>> 0 : undefined;
  }

  holds(hash: number): boolean {
    const known = this.#known;
    for (let index = 0; index < known; index++)
      if (Atomics.load(this.#words, M_FIRST + index) === (hash | 0)) return true;
    return false;
  }

  /**
   * A model that stays is copied to its new place before it leaves the old one, so that readers go on seeing it.
   * @param hashes of the ids, the last ones loaded at the end
   */
  advertise(hashes: readonly number[]): void {
    const words = this.#words;
    const coming = new Set(hashes.slice(-MAX_KNOWN_MODELS).map((hash) => hash | 0));
    let known = this.#known;
    for (let index = known - 1; index >= 0; index--) {
      if (coming.delete(Atomics.load(words, M_FIRST + index))) continue;
      known--;
      Atomics.store(words, M_FIRST + index, Atomics.load(words, M_FIRST + known));
      Atomics.store(words, M_COUNT, known);
    }
    for (const hash of coming) Atomics.store(words, M_FIRST + known++, hash);
    Atomics.store(words, M_COUNT, hashes.length);
    this.#changed();
  }

  get loadMs(): number {
    return Atomics.load(this.#words, M_LOAD) / UNITS;
  }

  set loadMs(ms: number) {
    Atomics.store(this.#words, M_LOAD, Math.min(Math.max(1, Math.round(ms * UNITS)), MAX_WORD));
    this.#changed();
  }

  get stalestAt(): number {
    return Atomics.load(this.#words, M_STALEST);
  }

  set stalestAt(at: number) {
    Atomics.store(this.#words, M_STALEST, at | 0);
  }

  #changed(): void {
    Atomics.add(this.#words, M_REVISION, 1);
    Atomics.notify(this.#words, M_REVISION);
  }
}
