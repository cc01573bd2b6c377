import { ServeError } from '../errors.ts';
import type { CallScope } from '../handle/call/scope.ts';
import { now } from '../time/clock.ts';
import { inRootContext } from '../time/root-context.ts';

/** Receives the events of a cache. */
export interface ModelCacheListener {
  /** The set of models that are loaded or loading has changed. */
  changed(): void;
  /** Another model has become the least recently used one. */
  used(): void;
  /** A model was loaded in `ms` milliseconds, including the time to make room for it. */
  loaded(ms: number): void;
}

interface Loaded<M> {
  readonly promise: Promise<M>;
  readonly usedAt: number;
}

/** A load that waits for its turn or runs. */
interface Loading<M> {
  readonly promise: Promise<M>;
  /** The scopes of the calls that wait for it; undefined stands for code outside a call. */
  readonly waiting: Array<CallScope | undefined>;
}

/**
 * Keeps the most recently used models. Each id is loaded once, one load runs at a time, and the least recently used model is
 * disposed of *before* another one is loaded. The work is bounded whatever ids are requested: a load whose callers have all
 * left before its turn is not made, so no more loads wait than there are calls, and at most `loadsPerSecond` are begun.
 */
export class ModelCache<M> {
  readonly #limit: number;
  readonly #loadsPerSecond: number;
  readonly #listener: ModelCacheListener;
  /** The loaded models in order of use, the least recently used first. */
  readonly #loaded = new Map<string, Loaded<M>>();
  readonly #loading = new Map<string, Loading<M>>();
  /** The end of the last load; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The number of loads that may begin now. */
  #tokens: number;
  #filledAt = now();
  #isClosed = false;

  constructor(limit: number, loadsPerSecond: number, listener: ModelCacheListener) {
    this.#limit = limit;
    this.#loadsPerSecond = loadsPerSecond;
    this.#tokens = Math.max(1, loadsPerSecond);
    this.#listener = listener;
  }

  /** The ids of the loaded models, the least recently used first, then of those that are loading. */
  get ids(): string[] {
    return [...this.#loaded.keys(), ...this.#loading.keys()];
  }

  /** When the model that would make room for the next one was last used; undefined while there is room. */
  get stalestAt(): number | undefined {
    if (this.#loaded.size + this.#loading.size < this.#limit) return undefined;
    const [stalest] = this.#loaded.values();
    return stalest?.usedAt ?? now();
  }

  get(id: string, scope: CallScope | undefined, load: () => Promise<M> | M): Promise<M> {
    const known = this.#loaded.get(id);
    if (known !== undefined) {
      this.#use(id, known.promise);
      return known.promise;
    }
    const coming = this.#loading.get(id);
    if (coming !== undefined) {
      coming.waiting.push(scope);
      return coming.promise;
    }
    if (!this.#mayLoad()) return Promise.reject(tooManyLoads(id, this.#loadsPerSecond));
    return this.#begin(id, scope, load);
  }

  /** Disposes of all models, including those that are still loading. */
  async clear(): Promise<void> {
    this.#isClosed = true;
    const models = [...this.#loaded.values()];
    this.#loaded.clear();
    await Promise.all(models.map(async ({ promise }) => dispose(await promise)));
    await this.#turn;
  }

  /** Begins a load. Later calls use the model as well, so it is loaded in the async context of no call. */
  #begin(id: string, scope: CallScope | undefined, load: () => Promise<M> | M): Promise<M> {
    return inRootContext(() => this.#load(id, [scope], load));
  }

  #load(id: string, waiting: Array<CallScope | undefined>, load: () => Promise<M> | M): Promise<M> {
    const promise = this.#turn.then(async () => {
      const reason = abandoned(waiting);
      if (reason !== undefined) throw reason;
      const startedAt = now();
      await this.#makeRoom();
      const model = await load();
      this.#listener.loaded(now() - startedAt);
      return model;
    });
    this.#loading.set(id, { promise, waiting });
    this.#turn = promise.then(
      async (model) => {
        this.#loading.delete(id);
        if (this.#isClosed) await dispose(model);
        else this.#use(id, promise);
      },
      () => {
        // A failure is not remembered, so the next call tries again.
        this.#loading.delete(id);
        this.#listener.changed();
      },
    );
    this.#listener.changed();
    return promise;
  }

  #use(id: string, promise: Promise<M>): void {
    const isStalest = this.#loaded.keys().next().value === id;
    this.#loaded.delete(id);
    this.#loaded.set(id, { promise, usedAt: now() });
    if (isStalest || this.#loaded.size === 1) this.#listener.used();
  }

  /** Disposes of the least recently used models until one more fits. */
  async #makeRoom(): Promise<void> {
    for (const [id, { promise }] of this.#loaded) {
      if (this.#loaded.size < this.#limit) return;
      this.#loaded.delete(id);
      this.#listener.changed();
      await dispose(await promise);
    }
  }

  /** Takes a token out of the bucket, which holds a second's worth. */
  #mayLoad(): boolean {
    const at = now();
    const rate = this.#loadsPerSecond;
    if (rate === Infinity) return true;
    this.#tokens = Math.min(Math.max(1, rate), this.#tokens + (rate * (at - this.#filledAt)) / 1_000);
    this.#filledAt = at;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** The reason why all waiting calls were cancelled; undefined while any of them still waits. */
function abandoned(waiting: readonly (CallScope | undefined)[]): unknown {
  if (waiting.some((scope) => scope?.cancellation === undefined)) return undefined;
  return waiting[0]?.cancellation;
}

function tooManyLoads(id: string, perSecond: number): ServeError {
  const what = `model '${id}' is not loaded: this replica is asked for more than ${perSecond} loads per second`;
  return new ServeError('SERVE_BACKPRESSURE', what, { retryAfterMs: Math.ceil(1_000 / perSecond) });
}

/** Disposes of a model. A failure is only logged, so that the next model can be loaded; a replica's console is its log. */
async function dispose(model: unknown): Promise<void> {
  if (typeof model !== 'object' || model === null) return;
  try {
    const hook: unknown = Reflect.get(model, Symbol.asyncDispose) ?? Reflect.get(model, Symbol.dispose);
    if (typeof hook === 'function') await hook.call(model);
  } catch (error) {
    console.error('multiplexed(): disposing of a model failed:', error);
  }
}
