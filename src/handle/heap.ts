/** A binary heap: the first in order is found at once, putting in and taking out cost log n. */
export class Heap<T> {
  #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get length(): number {
    return this.#items.length;
  }

  /** In no order beyond the first. */
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

  /** Takes the first out. */
  pop(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  /** The first one's place in the order changed: it is later now. */
  sinkFirst(): void {
    if (this.#items.length > 1) this.#sink(0);
  }

  /** Keeps only what `keeps` says. */
  filter(keeps: (item: T) => boolean): void {
    this.#items = this.#items.filter(keeps);
    for (let index = (this.#items.length >> 1) - 1; index >= 0; index--) this.#sink(index);
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
      items[at] = other;
      at = parent;
    }
    items[at] = item;
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
      items[at] = smaller;
      at = child;
    }
    items[at] = item;
  }
}
