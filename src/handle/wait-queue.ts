/** What the queue orders: the order is exact within a thread. */
export interface Waiting {
  /** 0 is the most important. */
  readonly priorityRank: number;
  /** Time of `clock.now()`; 0 = none. */
  readonly expiresAt: number;
  /** Counts up with each call of the thread. */
  readonly number: number;
  /** False once the call was cancelled, expired or sent: the queue skips it. */
  readonly isQueued: boolean;
}

/** Priority, then deadline, then first come first served. */
function isBefore(a: Waiting, b: Waiting): boolean {
  if (a.priorityRank !== b.priorityRank) return a.priorityRank < b.priorityRank;
  if (a.expiresAt !== b.expiresAt) return (a.expiresAt || Infinity) < (b.expiresAt || Infinity);
  return a.number < b.number;
}

/**
 * Calls of one thread that wait for one deployment: a binary heap. Calls that left otherwise (cancelled, expired) are
 * skipped when they surface, and swept out when they are more than half of it.
 */
export class WaitQueue<T extends Waiting> {
  #heap: T[] = [];
  #live = 0;

  /** Calls that still wait. */
  get size(): number {
    return this.#live;
  }

  push(item: T): void {
    this.#live++;
    this.#heap.push(item);
    this.#rise(this.#heap.length - 1);
  }

  /** The first in order; undefined when nobody waits. */
  peek(): T | undefined {
    for (;;) {
      const head = this.#heap[0];
      if (head === undefined || head.isQueued) return head;
      this.#removeHead();
    }
  }

  /** Takes the head out; call it right after `peek`. */
  shift(): void {
    this.#live--;
    this.#removeHead();
  }

  /** An item left by itself: its `isQueued` is false from now on. */
  forget(): void {
    this.#live--;
    if (this.#heap.length > 64 && this.#live < this.#heap.length / 2) this.#sweep();
  }

  /** Empties the queue, first in order first. */
  drain(): T[] {
    const items = this.#heap.filter((item) => item.isQueued).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#heap = [];
    this.#live = 0;
    return items;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const item of this.#heap) if (item.isQueued) yield item;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((item) => item.isQueued);
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#sink(index);
  }

  #removeHead(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const item = heap[from] as T;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as T;
      if (!isBefore(item, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = item;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const item = heap[from] as T;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let smaller: T = left;
      if (right !== undefined && isBefore(right, left)) {
        child++;
        smaller = right;
      }
      if (!isBefore(smaller, item)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = item;
  }
}
