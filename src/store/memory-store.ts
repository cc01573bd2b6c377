import { ServeError } from '../errors.ts';
import { applyChange } from './apply-change.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from './snapshot.ts';
import type { Change, FencingToken, Store } from './store.ts';

/**
 * The store of an instance without a fleet. A change is applied, and every listener told, before `propose` returns; only a
 * change that a listener proposes reaches the listeners after all of them have received the one before.
 */
export class MemoryStore implements Store {
  #snapshot: Snapshot = deepFreeze(structuredClone(EMPTY_SNAPSHOT));
  #newestToken: FencingToken = 0;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #isTelling = false;

  read(): Snapshot {
    return this.#snapshot;
  }

  /** @throws DataCloneError for a change that is not plain data */
  propose(change: Change, token: FencingToken): Promise<Snapshot> {
    if (token < this.#newestToken) {
      const message = 'change rejected: another controller leads now';
      return Promise.reject(new ServeError('SERVE_UNAVAILABLE', message));
    }
    this.#newestToken = token;
    const next = applyChange(this.#snapshot, structuredClone(change));
    if (next !== this.#snapshot) {
      this.#snapshot = deepFreeze(next);
      this.#tell();
    }
    return Promise.resolve(this.#snapshot);
  }

  watch(listener: (snapshot: Snapshot) => void): () => void {
    // A wrapper of its own per watch, since the same listener may watch twice.
    const watcher = (snapshot: Snapshot): void => listener(snapshot);
    this.#listeners.add(watcher);
    return () => this.#listeners.delete(watcher);
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let told: Snapshot | undefined; told !== this.#snapshot; ) {
        told = this.#snapshot;
        for (const listener of [...this.#listeners]) listener(told);
      }
    } finally {
      this.#isTelling = false;
    }
  }
}

/** Freezes a value and its parts. A frozen value is frozen throughout: every snapshot shares most of the one before. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
