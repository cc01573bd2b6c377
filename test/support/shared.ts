/**
 * Coordination between a test and the replicas' threads through shared memory: a test knows what happened in a replica
 * without asking it, and opens gates there without a call.
 */
export class Shared {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(256)) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  get(cell: number): number {
    return Atomics.load(this.#cells, cell);
  }

  set(cell: number, value: number): void {
    Atomics.store(this.#cells, cell, value);
    Atomics.notify(this.#cells, cell);
  }

  /** @returns the value after adding */
  add(cell: number, value = 1): number {
    const after = Atomics.add(this.#cells, cell, value) + value;
    Atomics.notify(this.#cells, cell);
    return after;
  }

  /** Raises a cell to at least `value`: for high-water marks. */
  max(cell: number, value: number): void {
    for (let seen = this.get(cell); seen < value; seen = this.get(cell)) {
      if (Atomics.compareExchange(this.#cells, cell, seen, value) === seen) return;
    }
  }

  /** Resolves once the cell is at least `value`. Rejects after `timeoutMs`: a test must not hang. */
  async atLeast(cell: number, value: number, timeoutMs = 10_000): Promise<void> {
    const keepAlive = setInterval(() => {}, 1_000);
    const deadline = performance.now() + timeoutMs;
    try {
      for (let seen = this.get(cell); seen < value; seen = this.get(cell)) {
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`cell ${cell} is ${seen}, not ${value}, after ${timeoutMs} ms`);
        const wait = Atomics.waitAsync(this.#cells, cell, seen, left);
        if (wait.async) await wait.value;
      }
    } finally {
      clearInterval(keepAlive);
    }
  }
}
