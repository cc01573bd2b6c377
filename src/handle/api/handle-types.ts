import type { CallExplanation } from '../call/explanation.ts';
import type { Priority } from '../queue/priority.ts';
import type { Crossable, NotSerializable } from './crossable.ts';
import type { DEPLOYMENT_TYPE, InstanceOf, MethodNames, Signature } from './target.ts';
import type { TypeProblem } from './type-problem.ts';

export type { CallExplanation, NotSerializable };

/** The members that a response and a stream share. Disposing cancels the call. */
interface CallMembers extends AsyncDisposable {
  /** Ends the call: a queued call never runs, a running call's signal aborts. Does nothing once the call has ended. */
  cancel(reason?: unknown): void;
  /** The id of the call in the log, in `context()` and in its child calls. */
  readonly requestId: string;
  /** Returns the state of the call and how it has spent its time so far. */
  explain(): CallExplanation;
}

/** A pending result. A response may be passed to another `remote()` without being awaited. */
export interface DeploymentResponse<R> extends Promise<R>, CallMembers {}

/** The values that a generator method yields. Leaving it early runs the generator's `finally` blocks in the replica. */
export interface DeploymentStream<Y> extends AsyncIterable<Y>, CallMembers {}

/** Per-call settings. Each call of `options()` returns a new, frozen handle. */
export interface HandleOptions {
  /** Cancels the calls of this handle. */
  signal?: AbortSignal | undefined;
  /** Deadline of a call in ms, queueing included; it can only shorten the deployment's `requestTimeoutMs`. */
  timeoutMs?: number | undefined;
  /** Id of the model that the call needs, for deployments with `multiplexed()`. */
  multiplexedModelId?: string | undefined;
  /** Priority of the call. Default: the priority of the parent call, or else the deployment's `priority`. */
  priority?: Priority | undefined;
  /**
   * Tenant that the call belongs to: tenants share replicas fairly, and may have quotas. Default: the parent call's
   * tenant.
   */
  tenant?: string | undefined;
  /** Calls of one session go to the same replica while it has room. Default: the parent call's session. */
  sessionId?: string | undefined;
  /**
   * Calls of this thread to the same method, for the same tenant and with the same key, share one execution; its result is
   * kept for a minute. Calls of several instances of a fleet share it where they go to replicas of the same instance. The same
   * key with other arguments is refused (`SERVE_INVALID_OPTION`, 422).
   */
  idempotencyKey?: string | undefined;
  /**
   * Prefers replicas of this instance to replicas of other instances: `true` until the local ones are full, `false`
   * never. Default: until the local replicas are half full; from then on calls go to the cheapest replica.
   */
  preferLocal?: boolean | undefined;
}

/** Options of `map()`. */
export interface MapOptions<Settle extends boolean = boolean> {
  /** Calls in flight at a time. Default: as many as the replicas have room for. */
  concurrency?: number | undefined;
  /** Whether results come in the order of the inputs (default) or as they complete. */
  ordered?: boolean | undefined;
  /** Yields `PromiseSettledResult`s and continues after a failure. Default: the first failure cancels the rest. */
  settle?: Settle | undefined;
  /** Cancels all calls of the `map()`. */
  signal?: AbortSignal | undefined;
}

type ArgumentName<I> = I extends string ? `arg ${I}` : '...args';

/** A whole argument may also be a `Request`. */
export type Argument<T, Path extends string> = unknown extends T
  ? T
  : Extract<T, Request> | Crossable<Exclude<T, Request>, Path>;

/** An argument may also be the response of another call, which is resolved before the new call is queued. */
type OrResponse<T> = unknown extends T
  ? T
  : [T] extends [NotSerializable<string, string>]
    ? T
    : T | DeploymentResponse<T>;

type Arguments<P extends readonly unknown[], Name extends string> = {
  [I in keyof P]: OrResponse<Argument<P[I], `${Name}(${ArgumentName<I>})`>>;
};

/**
 * Arguments of a broadcast are sent to each replica unchanged: requests, which can be read only once, and responses are
 * not resolved.
 */
type BroadcastArguments<P extends readonly unknown[], Name extends string> = {
  [I in keyof P]: Crossable<P[I], `${Name}(${ArgumentName<I>})`>;
};

/** The types that `isStream` of `replica/stream-pump.ts` treats as a stream; other iterators cannot cross a thread. */
type Streamed = AsyncIterable<unknown> | Generator<unknown, unknown, never>;

type Chunk<S> = S extends AsyncIterable<infer Y> ? Y : S extends Iterable<infer Y> ? Y : never;

/** The type of a call's awaited result. */
export type Received<R> = unknown extends R
  ? R
  : [Extract<R, Streamed>] extends [never]
    ? R
    : Exclude<R, Streamed> | DeploymentStream<Chunk<Extract<R, Streamed>>>;

/** The type that `remote()` returns for a method that returns `R`. */
type Result<R> = unknown extends R
  ? DeploymentResponse<R>
  : [Awaited<R>] extends [never]
    ? DeploymentResponse<never>
    : [Exclude<Awaited<R>, Streamed>] extends [never]
      ? DeploymentStream<Chunk<Awaited<R>>>
      : DeploymentResponse<Received<Awaited<R>>>;

/** The method cannot be called with one argument. */
export interface NotMappable<Why extends string> extends TypeProblem<Why> {}

/** The items that `map()` iterates. */
type Items<P extends readonly unknown[], Name extends string> = ((...args: P) => void) extends (
  one: never,
) => void
  ? Iterable<Arguments<P, Name>[0]> | AsyncIterable<Arguments<P, Name>[0]>
  : NotMappable<`map() calls ${Name} with one argument, and it needs more`>;

type Outcome<R, Settle> = Settle extends true ? PromiseSettledResult<R> : R;

/**
 * A remote method: same parameters, asynchronous result.
 *
 * @typeParam _Hint text that the compiler shows when the method is called like a local one
 */
export interface RemoteMethod<
  P extends readonly unknown[],
  R,
  Name extends string,
  _Hint extends string = `call it by ${Name}.remote()`,
> {
  /** Calls the method on one replica. Never throws: a failure rejects the response. */
  remote(...args: Arguments<P, Name>): Result<R>;
  /**
   * Calls the method for each item, as fast as the replicas take it: it waits for room instead of failing.
   * @returns the results as an `AsyncIterable`; leaving it early cancels the rest
   */
  map<Settle extends boolean = false>(
    items: Items<P, Name>,
    options?: MapOptions<Settle>,
  ): AsyncIterable<Outcome<Received<Awaited<R>>, Settle>> & AsyncDisposable;
}

type RemoteOf<M, Name extends string> =
  Signature<M> extends { args: infer P extends readonly unknown[]; result: infer R }
    ? RemoteMethod<P, R, Name>
    : never;

/** `call` belongs to the handle itself. */
type CallOf<I> = I extends { call: infer M } ? RemoteOf<M, 'call'> : unknown;

/** The members of every handle other than the methods of its deployment. */
interface HandleMembers<I> {
  readonly [DEPLOYMENT_TYPE]?: I;
  /** Returns a new handle with other per-call settings. */
  options(options: HandleOptions): HandleOf<I>;
  /** Calls a method on every running replica, beyond queue and limits. Rejects with the first failure. */
  broadcast<K extends MethodNames<I> | Extract<keyof I, 'call'>>(
    method: K,
    ...args: BroadcastArguments<Signature<I[K & keyof I]>['args'], K>
  ): BroadcastResponse<Received<Awaited<Signature<I[K & keyof I]>['result']>>>;
}

/** The results of all replicas. Awaiting it rejects with the first failure. */
export interface BroadcastResponse<R> extends Promise<R[]> {
  /** Resolves with all outcomes, failures included, in the order of the replicas. */
  settled(): Promise<PromiseSettledResult<R>[]>;
}

type HandleOf<I> = HandleMembers<I> &
  CallOf<I> & { readonly [K in MethodNames<I>]: RemoteOf<Required<I>[K], K> };

/** Type of a handle that is made from a name without a type: its methods are unknown. */
export interface UntypedHandle<Why extends string = 'give the type: serve.handle<typeof Model>(name)'>
  extends TypeProblem<Why> {}

/**
 * A typed reference to a deployment: one member per remote method, `remote()` for `call`. `T` is the class, the function
 * or an interface of the methods; a type-only import of it loads no model code.
 *
 * Known limits: of overloads only the last signature counts, and type parameters of a method become their constraints
 * (`unknown`). For more precise types, give an interface as `T`.
 */
export type DeploymentHandle<T> = HandleOf<InstanceOf<T>>;
