import { ServeError } from '../errors.ts';
import type { CallScope } from '../handle/call/scope.ts';
import { now } from '../time/clock.ts';
import { inRootContext } from '../time/root-context.ts';

/** What a cache tells of itself. */
export interface ModelCacheListener {
  /** Other models are there, or coming. */
  changed(): void;
  /** Another model is the least recently used one. */
  used(): void;
  /** A model was loaded in so many ms, room for it included. */
  loaded(ms: number): void;
}

interface Loaded<M> {
  readonly promise: Promise<M>;
  readonly usedAt: number;
}

/** A load that waits for its turn, or runs. */
interface Loading<M> {
  readonly promise: Promise<M>;
  /** The calls that wait for it; undefined among them: code outside a call. */
  readonly waiting: Array<CallScope | undefined>;
}

/**
 * Keeps the last few models: one load per id, one load at a time, and the least recently used out *before* another one
 * comes in. Bounded whatever ids are asked for: a load whose callers have all left before its turn is not made, so no
 * more wait than there are calls, and no more are begun than `loadsPerSecond`.
 */
export class ModelCache<M> {
  readonly #limit: number;
  readonly #loadsPerSecond: number;
  readonly #listener: ModelCacheListener;
  /** In the order of use, the least recent first. */
  readonly #loaded = new Map<string, Loaded<M>>();
  readonly #loading = new Map<string, Loading<M>>();
  /** The end of the last load; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Loads that may begin now. */
  #tokens: number;
  #filledAt = now();
  #isClosed = false;

  constructor(limit: number, loadsPerSecond: number, listener: ModelCacheListener) {
    this.#limit = limit;
    this.#loadsPerSecond = loadsPerSecond;
    this.#tokens = Math.max(1, loadsPerSecond);
    this.#listener = listener;
  }

  /** Models that are there, the least recently used first, and those that come. */
  get ids(): string[] {
    return [...this.#loaded.keys(), ...this.#loading.keys()];
  }

  /** When the model that makes room for the next one was last used; undefined while there is room for one more. */
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

  /** Disposes of all models, those that still load included. */
  async clear(): Promise<void> {
    this.#isClosed = true;
    const models = [...this.#loaded.values()];
    this.#loaded.clear();
    await Promise.all(models.map(async ({ promise }) => dispose(await promise)));
    await this.#turn;
  }

  /** The model is for later calls, too: it is loaded in the async context of none. */
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
        // Not remembered: the next call tries again.
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

  /** Disposes of the least recently used until one more fits. */
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

/** Why nobody waits any more; undefined while somebody does. */
function abandoned(waiting: readonly (CallScope | undefined)[]): unknown {
  if (waiting.some((scope) => scope?.cancellation === undefined)) return undefined;
  return waiting[0]?.cancellation;
}

function tooManyLoads(id: string, perSecond: number): ServeError {
  const what = `model '${id}' is not loaded: more than ${perSecond} loads per second are asked of this replica`;
  return new ServeError('SERVE_BACKPRESSURE', what, { retryAfterMs: Math.ceil(1_000 / perSecond) });
}

/** A model that cannot be disposed of must not keep the next one from loading; a replica's console is its log. */
async function dispose(model: unknown): Promise<void> {
  if (typeof model !== 'object' || model === null) return;
  try {
    const hook: unknown = Reflect.get(model, Symbol.asyncDispose) ?? Reflect.get(model, Symbol.dispose);
    if (typeof hook === 'function') await hook.call(model);
  } catch (error) {
    console.error('multiplexed(): a model could not be disposed of:', error);
  }
}
