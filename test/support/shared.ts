import { types } from 'node:util';
import { FileCells } from './shared-file.ts';

const BYTES = 256;

/**
 * Coordination between a test and the replicas' threads through shared memory: a test knows what happened in a replica
 * without asking it, and opens gates there without a call. Replicas in processes share a file instead.
 */
export class Shared {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: MemoryCells | FileCells;

  constructor(buffer: SharedArrayBuffer = newBuffer()) {
    this.buffer = buffer;
    this.#cells = types.isSharedArrayBuffer(buffer) ? new MemoryCells(buffer) : new FileCells(buffer);
  }

  get(cell: number): number {
    return this.#cells.get(cell);
  }

  set(cell: number, value: number): void {
    this.#cells.change(cell, () => value);
  }

  /** @returns the value after adding */
  add(cell: number, value = 1): number {
    return this.#cells.change(cell, (before) => before + value);
  }

  /** Raises a cell to at least `value`: for high-water marks. */
  max(cell: number, value: number): void {
    this.#cells.change(cell, (before) => Math.max(before, value));
  }

  /** Resolves once the cell is at least `value`. Rejects after `timeoutMs`: a test must not hang. */
  async atLeast(cell: number, value: number, timeoutMs = 50_000): Promise<void> {
    const keepAlive = setInterval(() => {}, 1_000);
    const deadline = performance.now() + timeoutMs;
    try {
      for (let seen = this.get(cell); seen < value; seen = this.get(cell)) {
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`cell ${cell} is ${seen}, not ${value}, after ${timeoutMs} ms`);
        await this.#cells.changed(cell, seen, left);
      }
    } finally {
      clearInterval(keepAlive);
    }
  }
}

function newBuffer(): SharedArrayBuffer {
  return process.env['INSERVE_TEST_ISOLATION'] === 'process'
    ? FileCells.make(BYTES)
    : new SharedArrayBuffer(BYTES);
}

class MemoryCells {
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer);
  }

  get(cell: number): number {
    return Atomics.load(this.#cells, cell);
  }

  /** @returns the value after the change */
  change(cell: number, to: (value: number) => number): number {
    for (;;) {
      const seen = this.get(cell);
      const value = to(seen);
      if (Atomics.compareExchange(this.#cells, cell, seen, value) !== seen) continue;
      Atomics.notify(this.#cells, cell);
      return value;
    }
  }

  /** Resolves when a cell is not `seen` any more, or after `timeoutMs`. */
  async changed(cell: number, seen: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#cells, cell, seen, timeoutMs);
    if (wait.async) await wait.value;
  }
}
