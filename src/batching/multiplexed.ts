import { invalidOption } from '../errors.ts';
import { MODEL_ID } from '../handle/api/model-id.ts';
import { MULTIPLEXED, type Multiplexed } from '../handle/api/model-loader.ts';
import { callScope } from '../handle/call/scope.ts';
import { either, type Fields, integer, number, oneOf, parseOptions } from '../validation/fields.ts';
import { ModelCache, type ModelCacheListener } from './model-cache.ts';

/** Options of `multiplexed()`. */
export interface MultiplexedOptions {
  /** Maximum number of models that one replica holds at a time; −1 = no limit. Default 3. */
  maxModelsPerReplica?: number;
  /**
   * Maximum number of loads that one replica begins per second, with bursts of one second's worth, so that clients that ask for
   * one model after the other do not keep it loading. Beyond it a call for a model that is not loaded gets `SERVE_BACKPRESSURE`.
   * Default 100.
   */
  maxLoadsPerSecond?: number;
}

const FIELDS: Fields<MultiplexedOptions> = {
  maxModelsPerReplica: either(oneOf(-1), integer(1)),
  maxLoadsPerSecond: number(0.001),
};
const LOADS_PER_SECOND = 100;

/** Receives the events of the models of this thread. */
export interface ModelsListener {
  /** The code of the replica uses `multiplexed()`. */
  made(): void;
  /** The set of models that are loaded or loading has changed. */
  changed(modelIds: readonly string[]): void;
  /** When the model that would make room for the next one was last used; undefined while there is room. */
  used(stalestAt: number | undefined): void;
  /** A model was loaded in `ms` milliseconds. */
  loaded(ms: number): void;
}

let listener: ModelsListener | undefined;

/** The caches of this thread; a replica may have several. */
const caches = new Set<ModelCache<unknown>>();

/** @internal Registers the replica of this thread, which advertises its models to the routers. */
export function observeModels(observer: ModelsListener): void {
  listener = observer;
}

/** @internal The replica of this thread, for models that are kept elsewhere; undefined outside a replica. */
export function modelsListener(): ModelsListener | undefined {
  return listener;
}

/** @internal Disposes of all models of this thread when its replica ends. */
export async function disposeModels(): Promise<void> {
  await Promise.all([...caches].map((cache) => cache.clear()));
}

const advertising: ModelCacheListener = {
  changed() {
    listener?.changed([...caches].flatMap(({ ids }) => ids));
    advertising.used();
  },
  used() {
    let stalest: number | undefined;
    for (const { stalestAt = Infinity } of caches) stalest = Math.min(stalestAt, stalest ?? Infinity);
    listener?.used(stalest === Infinity ? undefined : stalest);
  },
  loaded(ms) {
    listener?.loaded(ms);
  },
};

/** The model id that the caller of the current call set; empty if it set none. */
export function getMultiplexedModelId(): string {
  return callScope.getStore()?.context.multiplexedModelId ?? '';
}

/**
 * Keeps many models behind one deployment: each id is loaded once, the least recently used model is disposed of *before*
 * another one is loaded, and calls are routed to replicas that hold their model.
 * `#model = multiplexed({ maxModelsPerReplica: 4 }, async (id: string) => loadModel(id))`.
 *
 * Evicted models are disposed of by `[Symbol.asyncDispose]` or `[Symbol.dispose]`, even while a call still uses them. A load
 * that fails is not remembered; a load whose callers have all left before its turn is not made.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` when it is made, for wrong options; when it is called, for an id that is empty
 *   or contains `..`; `SERVE_BACKPRESSURE` for too many loads
 */
export function multiplexed<M>(
  options: MultiplexedOptions,
  load: (modelId: string) => Promise<M> | M,
): Multiplexed<M> {
  if (typeof load !== 'function')
    throw invalidOption('multiplexed(options, load)', load, 'a function of a model id');
  const { maxModelsPerReplica = 3, maxLoadsPerSecond = LOADS_PER_SECOND } = parseOptions<MultiplexedOptions>(
    options,
    FIELDS,
    'multiplexed',
  );
  const limit = maxModelsPerReplica === -1 ? Infinity : maxModelsPerReplica;
  const models = new ModelCache<M>(limit, maxLoadsPerSecond, advertising);
  if (listener !== undefined) caches.add(models as ModelCache<unknown>);
  listener?.made();
  const get = async function (this: unknown, modelId: string = getMultiplexedModelId()): Promise<M> {
    if (modelId === '')
      throw invalidOption(
        'modelId',
        modelId,
        'a model id, which the caller sets with handle.options({ multiplexedModelId })',
      );
    MODEL_ID.parse(modelId, 'modelId');
    const scope = callScope.getStore();
    const make = (): Promise<M> | M => load.call(this, modelId);
    return await models.get(modelId, scope, scope === undefined ? make : () => callScope.run(scope, make));
  };
  return Object.assign(get, { [MULTIPLEXED]: true as const });
}
