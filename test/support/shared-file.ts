import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CELL_BYTES = 4;
/** How long a process that was killed may seem to hold the lock, in ms. */
const LOCK_MS = 5_000;
/** How often a waiting process looks, in ms: no process tells another one that it wrote. */
const LOOK_MS = 2;

/**
 * Cells in a file, for replicas in child processes, which share no memory with the test. What stands for the cells is the
 * path of the file, as bytes, so that it crosses to a process.
 */
export class FileCells {
  readonly #path: string;
  readonly #file: number;

  /** @param buffer the bytes of the path */
  constructor(buffer: ArrayBufferLike) {
    this.#path = Buffer.from(buffer).toString();
    this.#file = openSync(this.#path, 'r+');
  }

  /** Makes a file of zeros, which goes with this process. @returns the bytes of its path */
  static make(bytes: number): SharedArrayBuffer {
    const folder = mkdtempSync(join(tmpdir(), 'inserve-cells-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'cells');
    writeFileSync(path, Buffer.alloc(bytes));
    return new Uint8Array(Buffer.from(path)).buffer as unknown as SharedArrayBuffer;
  }

  get(cell: number): number {
    const bytes = Buffer.alloc(CELL_BYTES);
    readSync(this.#file, bytes, 0, CELL_BYTES, cell * CELL_BYTES);
    return bytes.readInt32LE();
  }

  /** Changes a cell, which no other process does meanwhile. @returns the value after that */
  change(cell: number, to: (value: number) => number): number {
    const lock = this.#lock();
    try {
      const bytes = Buffer.alloc(CELL_BYTES);
      bytes.writeInt32LE(to(this.get(cell)));
      writeSync(this.#file, bytes, 0, CELL_BYTES, cell * CELL_BYTES);
      return bytes.readInt32LE();
    } finally {
      closeSync(lock);
      rmSync(`${this.#path}.lock`, { force: true });
    }
  }

  /** Resolves when a cell may have changed. */
  changed(_cell: number, _seen: number, _timeoutMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  #lock(): number {
    const since = performance.now();
    for (;;) {
      try {
        return openSync(`${this.#path}.lock`, 'wx');
      } catch {
        if (performance.now() - since > LOCK_MS) rmSync(`${this.#path}.lock`, { force: true });
      }
    }
  }
}
