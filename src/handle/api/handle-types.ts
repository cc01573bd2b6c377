import type { CallExplanation } from '../call/explanation.ts';
import type { Priority } from '../queue/priority.ts';
import type { Crossable, NotSerializable } from './crossable.ts';
import type { DEPLOYMENT_TYPE, InstanceOf, MethodNames, Signature } from './target.ts';
import type { TypeProblem } from './type-problem.ts';

export type { CallExplanation, NotSerializable };

/** What a response and a stream have in common. Disposing cancels. */
interface CallMembers extends AsyncDisposable {
  /** Ends the call: queued, it never runs; running, its signal aborts. Harmless once it is over. */
  cancel(reason?: unknown): void;
  /** In the log, in `context()` and in the calls made by it. */
  readonly requestId: string;
  /** Where the call spent its time, so far. */
  explain(): CallExplanation;
}

/** A result on its way. May be passed to another `remote()` without being awaited. */
export interface DeploymentResponse<R> extends Promise<R>, CallMembers {}

/** The values that a generator method yields. Leaving it early runs the generator's `finally` blocks in the replica. */
export interface DeploymentStream<Y> extends AsyncIterable<Y>, CallMembers {}

/** Per-call settings. Each call of `options()` returns a new, frozen handle. */
export interface HandleOptions {
  /** Cancels the calls of this handle. */
  signal?: AbortSignal | undefined;
  /** Deadline of a call in ms, queueing included; it can only shorten the deployment's `requestTimeoutMs`. */
  timeoutMs?: number | undefined;
  multiplexedModelId?: string | undefined;
  /** Default: the deployment's `priority`, or that of the call this one is made in. */
  priority?: Priority | undefined;
  /** Whose call it is: tenants share replicas fairly, and may have quotas. Default: that of the call this one is made in. */
  tenant?: string | undefined;
  /** Calls of one session go to the same replica while it has room. Default: that of the call this one is made in. */
  sessionId?: string | undefined;
  /**
   * Calls of this thread to the same method, for the same tenant and with the same key, share one execution; its result is
   * kept for a minute. The same key with other arguments is refused (`SERVE_INVALID_OPTION`, 422).
   */
  idempotencyKey?: string | undefined;
  /**
   * Replicas of this instance go before those of other instances: `true` until they are full, `false` never. Default: until
   * they are half full, from then on calls go where they cost least.
   */
  preferLocal?: boolean | undefined;
}

export interface MapOptions<Settle extends boolean = boolean> {
  /** Calls in flight at a time. Default: as many as the replicas have room for. */
  concurrency?: number | undefined;
  /** Results in the order of the inputs (default) or as they come. */
  ordered?: boolean | undefined;
  /** Yield `PromiseSettledResult`s and go on after a failure. Default: the first failure cancels the rest. */
  settle?: Settle | undefined;
  signal?: AbortSignal | undefined;
}

type ArgumentName<I> = I extends string ? `arg ${I}` : '...args';

/** A whole argument may also be a `Request`. */
export type Argument<T, Path extends string> = unknown extends T
  ? T
  : Extract<T, Request> | Crossable<Exclude<T, Request>, Path>;

/** … and the response of another call, which is resolved before this one is queued. */
type OrResponse<T> = unknown extends T
  ? T
  : [T] extends [NotSerializable<string, string>]
    ? T
    : T | DeploymentResponse<T>;

type Arguments<P extends readonly unknown[], Name extends string> = {
  [I in keyof P]: OrResponse<Argument<P[I], `${Name}(${ArgumentName<I>})`>>;
};

/** Sent to each replica as they are: neither requests, which can be read once, nor responses are resolved. */
type BroadcastArguments<P extends readonly unknown[], Name extends string> = {
  [I in keyof P]: Crossable<P[I], `${Name}(${ArgumentName<I>})`>;
};

/** What `isStream` of `replica/stream-pump.ts` sees as a stream; other iterators cannot cross a thread. */
type Streamed = AsyncIterable<unknown> | Generator<unknown, unknown, never>;

type Chunk<S> = S extends AsyncIterable<infer Y> ? Y : S extends Iterable<infer Y> ? Y : never;

/** What the awaited result of a call is. */
export type Received<R> = unknown extends R
  ? R
  : [Extract<R, Streamed>] extends [never]
    ? R
    : Exclude<R, Streamed> | DeploymentStream<Chunk<Extract<R, Streamed>>>;

/** What `remote()` returns for a method that returns `R`. */
type Result<R> = unknown extends R
  ? DeploymentResponse<R>
  : [Awaited<R>] extends [never]
    ? DeploymentResponse<never>
    : [Exclude<Awaited<R>, Streamed>] extends [never]
      ? DeploymentStream<Chunk<Awaited<R>>>
      : DeploymentResponse<Received<Awaited<R>>>;

/** The method cannot be called with one argument. */
export interface NotMappable<Why extends string> extends TypeProblem<Why> {}

/** What `map()` goes over. */
type Items<P extends readonly unknown[], Name extends string> = ((...args: P) => void) extends (
  one: never,
) => void
  ? Iterable<Arguments<P, Name>[0]> | AsyncIterable<Arguments<P, Name>[0]>
  : NotMappable<`map() calls ${Name} with one argument, and it needs more`>;

type Outcome<R, Settle> = Settle extends true ? PromiseSettledResult<R> : R;

/** A remote method: same parameters, asynchronous result. */
export interface RemoteMethod<P extends readonly unknown[], R, Name extends string> {
  /** Calls the method on one replica. Never throws: failures are the response's. */
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

/** What every handle has besides the methods of its deployment. */
interface HandleMembers<I> {
  readonly [DEPLOYMENT_TYPE]?: I;
  /** A new handle with other per-call settings. */
  options(options: HandleOptions): HandleOf<I>;
  /** Calls a method on every running replica, beyond queue and limits. Rejects with the first failure. */
  broadcast<K extends MethodNames<I> | Extract<keyof I, 'call'>>(
    method: K,
    ...args: BroadcastArguments<Signature<I[K & keyof I]>['args'], K>
  ): BroadcastResponse<Received<Awaited<Signature<I[K & keyof I]>['result']>>>;
}

export interface BroadcastResponse<R> extends Promise<R[]> {
  /** All outcomes, failures too, in the order of the replicas. */
  settled(): Promise<PromiseSettledResult<R>[]>;
}

type HandleOf<I> = HandleMembers<I> &
  CallOf<I> & { readonly [K in MethodNames<I>]: RemoteOf<Required<I>[K], K> };

/**
 * A typed reference to a deployment: one member per remote method, `remote()` for `call`. `T` is the class, the function
 * or an interface of the methods; a type-only import of it loads no model code.
 *
 * Known limits: of overloads only the last signature counts, and type parameters of a method become their constraints
 * (`unknown`). Give an interface as `T` to say more.
 */
export type DeploymentHandle<T> = HandleOf<InstanceOf<T>>;
