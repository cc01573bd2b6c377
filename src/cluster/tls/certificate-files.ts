import { type FSWatcher, realpathSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import { type Timer, time } from '../../time/clock.ts';
import type { LinkCertificates } from '../../wire/security.ts';
import { listOf, pathOf, readCertificates } from './certificates.ts';

/** Time without another change after which files are read, in ms: certificate and key are written one after the other. */
const SETTLE_MS = 100;
/** Time after which files that do not fit together are read once more, in ms. */
const AGAIN_MS = 2_000;

/** Reads certificates again when the files change in which they are. */
export class CertificateFiles {
  readonly #given: LinkCertificates;
  readonly #onChange: (certificates: LinkCertificates) => void;
  readonly #onFault: (error: unknown) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #current: LinkCertificates;
  #timer: Timer | undefined = undefined;

  /**
   * @param onChange other certificates are there, which fit together
   * @param onFault the files cannot be read, or do not fit together: the certificates before stay in force
   * @throws the error of a folder that cannot be watched, or of a file that cannot be read
   */
  constructor(
    given: LinkCertificates,
    onChange: (certificates: LinkCertificates) => void,
    onFault: (error: unknown) => void,
  ) {
    this.#given = given;
    this.#onChange = onChange;
    this.#onFault = onFault;
    try {
      this.#watch();
      this.#current = readCertificates(given);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    time.cancel(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches folders, since files are replaced by others, and links to them as well. */
  #watch(): void {
    const { cert, key, ca } = this.#given;
    const files = [cert, key, ...listOf(ca)].map(pathOf).filter((path) => path !== undefined);
    const folders = new Set(files.flatMap((path) => [dirname(path), dirname(realPath(path))]));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      const watcher = watch(folder, { persistent: false }, () => this.#look(SETTLE_MS, false));
      watcher.on('error', () => {});
      this.#watchers.set(folder, watcher);
    }
  }

  #look(afterMs: number, isLast: boolean): void {
    time.cancel(this.#timer);
    this.#timer = time.after(afterMs, () => this.#read(isLast));
    this.#timer.unref();
  }

  #read(isLast: boolean): void {
    try {
      // A change after this line leads to another read.
      this.#watch();
      const next = readCertificates(this.#given);
      if (isSame(next, this.#current)) return;
      createSecureContext({ ...next, ca: listOf(next.ca) });
      this.#current = next;
      this.#onChange(next);
    } catch (error) {
      if (isLast) this.#onFault(error);
      else this.#look(AGAIN_MS, true);
    }
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isSame(a: LinkCertificates, b: LinkCertificates): boolean {
  const bytes = ({ cert, key, ca }: LinkCertificates): Buffer[] =>
    [cert, key, ...listOf(ca)].map((part) => Buffer.from(part));
  const [left, right] = [bytes(a), bytes(b)];
  return left.length === right.length && left.every((part, index) => part.equals(right[index] as Buffer));
}
