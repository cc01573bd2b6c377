import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How often a blocked thread looks whether it may go on, in ms. */
const LOOK_MS = 10;

/** Blocks the event loop of this thread until the file is there. */
export function blockUntil(path: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(path)) Atomics.wait(cell, 0, 0, LOOK_MS);
}

/** A file that ends `blockUntil` in another process. */
export class Release implements Disposable {
  readonly path: string;
  readonly #folder: string;
  readonly #madeAt = performance.now();

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'inserve-release-'));
    this.path = join(this.#folder, 'released');
  }

  /** Time since it was made, in ms. */
  get ageMs(): number {
    return performance.now() - this.#madeAt;
  }

  open(): void {
    writeFileSync(this.path, '');
  }

  /** A process that is still blocked goes on. */
  [Symbol.dispose](): void {
    this.open();
    rmSync(this.#folder, { recursive: true });
  }
}
