import { invalidOption } from '../errors.ts';
import { callScope } from '../handle/scope.ts';
import { either, type Fields, integer, oneOf, parseOptions } from '../validation/fields.ts';

export interface MultiplexedOptions {
  /** Models that one replica holds at a time; −1 = no limit. Default 3. */
  maxModelsPerReplica?: number;
}

const FIELDS: Fields<MultiplexedOptions> = { maxModelsPerReplica: either(oneOf(-1), integer(1)) };

/** Marks the function, so that it is never remote. */
export const MULTIPLEXED: unique symbol = Symbol.for('inserve.multiplexed');

/** Loads models by id, and keeps the last few. */
export interface Multiplexed<M> {
  /** The model; the id defaults to that of the current call. */
  (modelId?: string): Promise<M>;
  readonly [MULTIPLEXED]: true;
}

type ModelsListener = (modelIds: readonly string[]) => void;

let onModels: ModelsListener = () => {};
let isReplica = false;

/** Those of this thread: a replica may have several. */
const caches = new Set<ModelCache<unknown>>();

/** @internal The replica of this thread advertises its models to the routers. */
export function observeModels(listener: ModelsListener): void {
  onModels = listener;
  isReplica = true;
}

/** @internal The replica of this thread ends, and its models with it. */
export async function disposeModels(): Promise<void> {
  await Promise.all([...caches].map((cache) => cache.clear()));
}

/** The model id that the caller of the current call asked for; empty if none. */
export function getMultiplexedModelId(): string {
  return callScope.getStore()?.context.multiplexedModelId ?? '';
}

/**
 * Keeps many models behind one deployment: each id is loaded once, the least recently used is disposed of *before* another
 * one is loaded, and calls are routed to replicas that hold their model.
 * `#model = multiplexed({ maxModelsPerReplica: 4 }, async (id: string) => loadModel(id))`.
 *
 * Evicted models are disposed of by `[Symbol.asyncDispose]` or `[Symbol.dispose]`. A load that fails is not remembered.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` when it is made, for wrong options; when it is called, for an empty id
 */
export function multiplexed<M>(
  options: MultiplexedOptions,
  load: (modelId: string) => Promise<M> | M,
): Multiplexed<M> {
  if (typeof load !== 'function')
    throw invalidOption('multiplexed(options, load)', load, 'a function of a model id');
  const { maxModelsPerReplica = 3 } = parseOptions<MultiplexedOptions>(options, FIELDS, 'multiplexed');
  const models = new ModelCache<M>(maxModelsPerReplica === -1 ? Infinity : maxModelsPerReplica);
  if (isReplica) caches.add(models as ModelCache<unknown>);
  const get = function (this: unknown, modelId: string = getMultiplexedModelId()): Promise<M> {
    if (typeof modelId !== 'string' || modelId === '') {
      return Promise.reject(
        invalidOption('modelId', modelId, 'a model id: the caller sets multiplexedModelId'),
      );
    }
    return models.get(modelId, () => load.call(this, modelId));
  };
  return Object.assign(get, { [MULTIPLEXED]: true as const });
}

/** A cache of loads: least recently used out first, one load at a time. */
class ModelCache<M> {
  readonly #limit: number;
  /** In the order of use, the least recent first. Loads that run are in it as well. */
  readonly #models = new Map<string, Promise<M>>();
  /** The end of the last load or eviction; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string, load: () => Promise<M> | M): Promise<M> {
    const known = this.#models.get(id);
    if (known !== undefined) {
      this.#models.delete(id);
      this.#models.set(id, known);
      return known;
    }
    const loading = this.#turn.then(async () => {
      await this.#makeRoom(id);
      return load();
    });
    this.#turn = loading.catch(() => {});
    this.#models.set(id, loading);
    this.#advertise();
    loading.catch(() => {
      // Not cached: the next call tries again.
      if (this.#models.get(id) === loading) this.#models.delete(id);
      this.#advertise();
    });
    return loading;
  }

  /** Disposes of the least recently used until one more fits. */
  async #makeRoom(coming: string): Promise<void> {
    while (this.#models.size > this.#limit) {
      const [oldest] = [...this.#models.keys()].filter((id) => id !== coming);
      if (oldest === undefined) return;
      const model = this.#models.get(oldest);
      this.#models.delete(oldest);
      this.#advertise();
      await dispose(await model?.catch(() => undefined));
    }
  }

  get ids(): Iterable<string> {
    return this.#models.keys();
  }

  /** Disposes of all models, those that still load included. */
  async clear(): Promise<void> {
    const models = [...this.#models.values()];
    this.#models.clear();
    await Promise.all(models.map(async (model) => dispose(await model.catch(() => undefined))));
  }

  #advertise(): void {
    onModels([...caches].flatMap((cache) => [...cache.ids]));
  }
}

/** A model that cannot be disposed of must not keep the next one from loading. */
async function dispose(model: unknown): Promise<void> {
  if (typeof model !== 'object' || model === null) return;
  const hook: unknown = Reflect.get(model, Symbol.asyncDispose) ?? Reflect.get(model, Symbol.dispose);
  try {
    if (typeof hook === 'function') await hook.call(model);
  } catch {}
}
