/** A binary heap: the first in order is found at once, putting in and taking out cost log n. */
export class Heap<T> {
  #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #onMoved: ((item: T, index: number) => void) | undefined;

  /** @param onMoved receives the new index of an item, for `update` */
  constructor(isBefore: (a: T, b: T) => boolean, onMoved?: (item: T, index: number) => void) {
    this.#isBefore = isBefore;
    this.#onMoved = onMoved;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The items; only the first is in order. */
  get items(): readonly T[] {
    return this.#items;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(this.#items.length - 1);
  }

  /** Removes the first item. */
  pop(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  /** The place of an item in the order changed. @param index index of the item */
  update(index: number): void {
    if (this.#items.length === 1) return;
    this.#rise(index);
    this.#sink(index);
  }

  /** Keeps only the items that `keeps` accepts. */
  filter(keeps: (item: T) => boolean): void {
    this.#items = this.#items.filter(keeps);
    for (let index = this.#items.length - 1; index >= 0; index--) this.#sink(index);
  }

  clear(): void {
    this.#items = [];
  }

  #rise(from: number): void {
    const items = this.#items;
    const item = items[from] as T;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = items[parent] as T;
      if (!this.#isBefore(item, other)) break;
      this.#put(other, at);
      at = parent;
    }
    this.#put(item, at);
  }

  #sink(from: number): void {
    const items = this.#items;
    const item = items[from] as T;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = items[child];
      if (left === undefined) break;
      const right = items[child + 1];
      let smaller: T = left;
      if (right !== undefined && this.#isBefore(right, left)) {
        child++;
        smaller = right;
      }
      if (!this.#isBefore(smaller, item)) break;
      this.#put(smaller, at);
      at = child;
    }
    this.#put(item, at);
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    this.#onMoved?.(item, index);
  }
}
