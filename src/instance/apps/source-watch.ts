import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write a file in several steps, so changes are collected for this time, in ms. */
const SETTLE_MS = 100;

/**
 * Reports changed contents of files. It watches their directories, since watching a file ends when an editor replaces it.
 * no more.
 */
export class SourceWatch {
  readonly #onChanged: (files: ReadonlySet<string>) => void;
  readonly #onError: (error: unknown) => void;
  /** Last seen contents, by path. */
  readonly #contents = new Map<string, string>();
  readonly #directories = new Map<string, FSWatcher>();
  readonly #touched = new Set<string>();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(onChanged: (files: ReadonlySet<string>) => void, onError: (error: unknown) => void) {
    this.#onChanged = onChanged;
    this.#onError = onError;
  }

  add(file: string): void {
    if (this.#contents.has(file)) return;
    this.#contents.set(file, contentOf(file) ?? '');
    const directory = dirname(file);
    if (this.#directories.has(directory)) return;
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name !== null) this.#touch(directory, name);
      });
      watcher.on('error', this.#onError);
      this.#directories.set(directory, watcher);
    } catch (error) {
      this.#onError(error);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#directories.values()) watcher.close();
    this.#directories.clear();
  }

  #touch(directory: string, name: string): void {
    for (const file of this.#contents.keys())
      if (dirname(file) === directory && basename(file) === name) this.#touched.add(file);
    if (this.#touched.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), SETTLE_MS).unref();
  }

  #settle(): void {
    const changed = new Set<string>();
    for (const file of this.#touched) {
      const content = contentOf(file);
      // The file is missing only for a moment: another change follows.
      if (content === undefined || content === this.#contents.get(file)) continue;
      this.#contents.set(file, content);
      changed.add(file);
    }
    this.#touched.clear();
    if (changed.size > 0) this.#onChanged(changed);
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
