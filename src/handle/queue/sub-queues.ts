import { Heap } from './binary-heap.ts';
import { isBefore, type Waiting } from './tenant-lane.ts';

/** The key of calls whose model no replica holds; no hash of a model is negative. */
export const COLD = -1;

/** Calls of one key, priority and tenant, in their order. */
export class SubQueue<T extends Waiting> {
  readonly key: number;
  readonly name: number | string;
  /** The calls; those that were cancelled or expired stay in the heap until they surface or are swept out. */
  readonly calls: Heap<T> = new Heap<T>(isBefore);
  /** Number of calls that wait in the sub-queue. */
  size = 0;
  /** The call that was shown last: it stands in the wait queue for the others. */
  shown: T | undefined = undefined;

  constructor(key: number, name: number | string) {
    this.key = key;
    this.name = name;
  }
}

/** Number of calls below which sub-queues are not swept. */
const SLACK = 64;

/**
 * Waiting calls that could not use the places that were free, because the replicas with their models are full. Each key, a
 * model or `COLD`, has a sub-queue per priority and tenant, which holds up no call of another key.
 */
export class SubQueues<T extends Waiting> {
  readonly #byKey = new Map<number, Map<number | string, SubQueue<T>>>();
  readonly #all = new Set<SubQueue<T>>();
  /** The sub-queue of each waiting call. */
  readonly #places = new Map<T, SubQueue<T>>();
  /** Number of cold calls per model. */
  readonly #cold = new Map<number, number>();

  /** Number of calls that wait in the sub-queues. */
  get size(): number {
    return this.#places.size;
  }

  /** Sub-queues in which calls wait. */
  get all(): ReadonlySet<SubQueue<T>> {
    return this.#all;
  }

  get hasCold(): boolean {
    return this.#cold.size > 0;
  }

  add(key: number, item: T): void {
    const subQueue = this.at(key, item) ?? this.#make(key, item);
    subQueue.calls.push(item);
    subQueue.size++;
    this.#places.set(item, subQueue);
    if (key === COLD) this.#countCold(item, 1);
  }

  /** The sub-queue of a key in which calls of an item's priority and tenant wait. */
  at(key: number, item: Waiting): SubQueue<T> | undefined {
    return this.#byKey.get(key)?.get(nameOf(item.priorityRank, item.tenant));
  }

  /** Removes a call from its sub-queue; false if the call is in none. */
  forget(item: T): boolean {
    const subQueue = this.#places.get(item);
    if (subQueue === undefined) return false;
    this.#left(item, subQueue);
    const { calls, size } = subQueue;
    if (calls.length > SLACK && size < calls.length / 2) this.#sweep(subQueue);
    return true;
  }

  /** The first call of a sub-queue. */
  first(subQueue: SubQueue<T>): T | undefined {
    const { calls } = subQueue;
    for (let item = calls.peek(); item !== undefined; item = calls.peek()) {
      if (this.#places.get(item) === subQueue) return item;
      calls.pop();
    }
    return undefined;
  }

  /**
   * Takes the first call of a sub-queue out, to stand in the wait queue for the others; undefined if a call does so
   * already.
   * @param leaving a call that is about to leave the wait queue
   */
  takeFirst(subQueue: SubQueue<T>, leaving: T | undefined): T | undefined {
    const { shown } = subQueue;
    if (shown !== leaving && shown?.isQueued === true && !this.#places.has(shown)) return undefined;
    const item = this.first(subQueue);
    if (item === undefined) return undefined;
    subQueue.shown = item;
    subQueue.calls.pop();
    this.#left(item, subQueue);
    return item;
  }

  /** Takes out all calls of a key. */
  takeAll(key: number): T[] {
    return this.#take(key, () => true);
  }

  /** Takes out the cold calls of a model that a replica holds by now. */
  takeCold(modelKey: number): T[] {
    return this.#cold.has(modelKey) ? this.#take(COLD, (item) => item.modelKey === modelKey) : [];
  }

  /** The last in order of a tenant's calls of one priority. */
  last(priorityRank: number, tenant: string): T | undefined {
    let last: T | undefined;
    const name = nameOf(priorityRank, tenant);
    for (const subQueue of this.#all) {
      if (subQueue.name !== name) continue;
      for (const item of subQueue.calls.items)
        if (this.#places.get(item) === subQueue && (last === undefined || isBefore(last, item))) last = item;
    }
    return last;
  }

  #make(key: number, item: T): SubQueue<T> {
    const made = new SubQueue<T>(key, nameOf(item.priorityRank, item.tenant));
    const byName = this.#byKey.get(key) ?? new Map<number | string, SubQueue<T>>();
    this.#byKey.set(key, byName.set(made.name, made));
    this.#all.add(made);
    return made;
  }

  #take(key: number, isTaken: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (const subQueue of [...(this.#byKey.get(key)?.values() ?? [])]) {
      for (const item of subQueue.calls.items) {
        if (this.#places.get(item) !== subQueue || !isTaken(item)) continue;
        this.#left(item, subQueue);
        taken.push(item);
      }
      this.#sweep(subQueue);
    }
    return taken;
  }

  #left(item: T, subQueue: SubQueue<T>): void {
    this.#places.delete(item);
    if (subQueue.key === COLD) this.#countCold(item, -1);
    if (--subQueue.size > 0) return;
    this.#all.delete(subQueue);
    const byName = this.#byKey.get(subQueue.key);
    byName?.delete(subQueue.name);
    if (byName?.size === 0) this.#byKey.delete(subQueue.key);
  }

  #sweep(subQueue: SubQueue<T>): void {
    subQueue.calls.filter((item) => this.#places.get(item) === subQueue);
  }

  #countCold({ modelKey = COLD }: T, by: number): void {
    const count = (this.#cold.get(modelKey) ?? 0) + by;
    if (count === 0) this.#cold.delete(modelKey);
    else this.#cold.set(modelKey, count);
  }
}

/** Name of a sub-queue within its key; calls without a tenant need no text. */
function nameOf(priorityRank: number, tenant: string): number | string {
  return tenant === '' ? priorityRank : `${priorityRank} ${tenant}`;
}
