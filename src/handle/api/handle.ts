import { inspect } from 'node:util';
import type { CallMeta } from '../../channel/frames.ts';
import { ServeError } from '../../errors.ts';
import { now } from '../../time/clock.ts';
import { isInstance } from '../../validation/peek.ts';
import { Capture } from '../../values/capture.ts';
import { MARK, PORTABLE, type Portable } from '../../values/marks.ts';
import { isRequest, PortableRequest } from '../../values/request.ts';
import { onReviveHandle } from '../../values/revive.ts';
import { type CapturedValue, moveNow } from '../../values/transfer.ts';
import type { Call } from '../call/call.ts';
import { UNKNOWN_CONFIG } from '../call/route-config.ts';
import { type CallScope, callScope } from '../call/scope.ts';
import { priorityRank } from '../queue/priority.ts';
import { routeKey } from '../routing/directory.ts';
import type { Route } from '../routing/route.ts';
import type { Router } from '../routing/router.ts';
import { BroadcastCall, broadcast } from './broadcast.ts';
import { parseHandleOptions } from './handle-options.ts';
import type { BroadcastResponse, DeploymentHandle, HandleOptions, MapOptions } from './handle-types.ts';
import { KeyedCall } from './keyed-call.ts';
import { mapItems } from './map.ts';
import { DeploymentResponse, PromiseCall } from './response.ts';

/** The default method. */
export const CALL_METHOD = 'call';

/** The plain data that stands for a handle when it crosses a thread. */
export interface HandleReference {
  /** The instance whose router made the handle; empty in the arguments of a deployment. */
  readonly instance: string;
  readonly app: string;
  readonly deployment: string;
  readonly options: HandleOptions;
}

/** A handle to a deployment, for the thread of `router`. */
export function createHandle<T>(
  router: Router,
  app: string,
  deployment: string,
  options: HandleOptions = {},
): DeploymentHandle<T> {
  const route = router.route(app, deployment, routeKey(app, deployment));
  return new HandleTarget(router, route, options).handle as DeploymentHandle<T>;
}

/** Methods that a handle caches. No class has more; the limit bounds callers that invent method names. */
const MOST_CACHED = 256;

/** Names that must stay inert: JavaScript itself, or people's tools, look for them on any object. */
const INERT = new Set([
  'then',
  'toJSON',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'inspect',
  '__proto__',
]);

/**
 * The state behind one handle. A handle is a frozen object whose prototype caches the methods that were used, and whose
 * prototype's prototype makes new ones: after the first use a method is an ordinary property (1 ns against 15 ns
 * through a Proxy).
 */
class HandleTarget {
  readonly handle: object;
  #route: Route;
  readonly #router: Router;
  readonly #options: HandleOptions;
  /** Whether the options leave a trace in the call's meta. */
  readonly #meta: CallMeta | undefined;
  readonly #preferLocal: boolean | undefined;

  constructor(router: Router, route: Route, options: HandleOptions) {
    this.#router = router;
    this.#route = route;
    this.#options = options;
    this.#meta = metaOf(options);
    this.#preferLocal = options.preferLocal;
    const { app, deployment } = route;
    let cached = 0;
    const cache: Record<string, unknown> = Object.create(
      new Proxy(Object.freeze(Object.create(null)), {
        get: (_target, name) => {
          if (typeof name !== 'string' || INERT.has(name)) return undefined;
          const method = this.#method(name);
          if (cached++ < MOST_CACHED) Object.defineProperty(cache, name, { value: method, enumerable: true });
          return method;
        },
        has: () => false,
        set: () => false,
      }),
    );
    const members = {
      ...this.#method(CALL_METHOD),
      options: (changes: HandleOptions) => this.#with(changes),
      broadcast: (method: string, ...args: unknown[]) => this.#broadcast(method, args),
    };
    for (const [name, value] of Object.entries(members)) {
      Object.defineProperty(cache, name, { value, enumerable: true });
    }
    const name = `DeploymentHandle(${app}/${deployment})`;
    this.handle = Object.freeze(
      Object.create(cache, {
        [PORTABLE]: {
          value: (): ReturnType<Portable[typeof PORTABLE]> => ({ kind: MARK.handle, data: this.reference }),
        },
        [Symbol.toStringTag]: { value: 'DeploymentHandle' },
        [Symbol.toPrimitive]: { value: () => name },
        [inspect.custom]: { value: () => name },
      }),
    );
  }

  /** A handle outlives its deployment: a deployment that is deployed again under the same name is found again. */
  get route(): Route {
    if (this.#route.isGone) {
      const { app, deployment } = this.#route;
      this.#route = this.#router.route(app, deployment, routeKey(app, deployment));
    }
    return this.#route;
  }

  get reference(): HandleReference {
    // A signal belongs to the thread that made it.
    const { signal: _, ...options } = this.#options;
    return {
      instance: this.#router.instanceId,
      app: this.route.app,
      deployment: this.route.deployment,
      options,
    };
  }

  #method(name: string): object {
    return Object.freeze({
      remote: (...args: unknown[]) => this.#call(name, args),
      map: (items: Iterable<unknown> | AsyncIterable<unknown>, options?: MapOptions) =>
        mapItems(this.route, items, options ?? {}, this.#options.signal, (item) => this.#call(name, [item])),
    });
  }

  #with(changes: HandleOptions): object {
    const options = { ...this.#options, ...parseHandleOptions(changes) };
    return new HandleTarget(this.#router, this.route, options).handle;
  }

  #call(method: string, args: unknown[]): DeploymentResponse<unknown> {
    const call = this.#prepare(method);
    if (!call.isSettled) {
      if (args.some(needsResolving)) void this.#resolveThenSend(call, args);
      else this.#send(call, args);
    }
    return call.response;
  }

  #send(call: PromiseCall, args: unknown[]): void {
    if (!takeArguments(call, args)) return;
    const { idempotencyKey } = this.#options;
    if (idempotencyKey === undefined) this.route.dispatch(call);
    else this.route.dispatchOnce(call as KeyedCall, idempotencyKey);
  }

  #prepare(method: string): PromiseCall {
    const { route } = this;
    const isKeyed = this.#options.idempotencyKey !== undefined;
    return this.#begin(isKeyed ? new KeyedCall(route, method) : new PromiseCall(route, method));
  }

  /** Gives a call its deadline and meta, and ties it to its signal and parent call. */
  #begin<C extends PromiseCall>(call: C): C {
    const { route } = this;
    const options = this.#options;
    const scope = callScope.getStore();
    call.meta = scope === undefined ? this.#meta : inherit(this.#meta, scope);
    call.priorityRank = this.#rank(route, scope);
    if (this.#preferLocal !== undefined) call.preferLocal = this.#preferLocal;
    route.begin(call, deadlineOf(call, options.timeoutMs, scope));
    if (route.config === UNKNOWN_CONFIG) this.#decideLater(call, route, scope);
    call.trace();
    const { signal } = options;
    if (scope !== undefined) {
      if (scope.cancellation !== undefined) call.cancel(scope.cancellation);
      else call.joinScope(scope);
    }
    if (signal !== undefined) {
      if (signal.aborted) call.cancel(signal.reason);
      else call.follow(signal);
    }
    return call;
  }

  #rank(route: Route, scope: CallScope | undefined): number {
    const { priority } = this.#options;
    return priority === undefined
      ? (scope?.priorityRank ?? route.config.priorityRank)
      : priorityRank(priority);
  }

  /** The thread calls the deployment for the first time, and does not know its timeout and priority yet. */
  #decideLater(call: PromiseCall, route: Route, scope: CallScope | undefined): void {
    route.whenConfigured(() => {
      if (call.isSettled) return;
      call.priorityRank = this.#rank(route, scope);
      route.redate(call, deadlineOf(call, this.#options.timeoutMs, scope));
    });
  }

  /** Replaces responses of other calls by their values first; a failed response fails this call. */
  async #resolveThenSend(call: PromiseCall, args: unknown[]): Promise<void> {
    const { isByReference } = this.route.config;
    try {
      const values = [...args];
      await Promise.all(
        args.map(async (arg, index) => {
          if (!needsResolving(arg)) return;
          if (!isRequest(arg)) values[index] = await arg;
          else if (!isByReference) values[index] = await PortableRequest.from(arg);
        }),
      );
      call.ready(now());
      if (!call.isSettled) this.#send(call, values);
    } catch (error) {
      call.reject(error);
    }
  }

  #broadcast(method: string, args: unknown[]): BroadcastResponse<unknown> {
    return broadcast(
      this.route,
      this.#router.instanceId,
      () => this.#begin(new BroadcastCall(this.route, method)),
      (call) => takeArguments(call, args),
    );
  }
}

/** Whether an argument must be resolved asynchronously first: a response, or a request. */
export function needsResolving(arg: unknown): boolean {
  if (typeof arg !== 'object' || arg === null) return false;
  let prototype: unknown;
  try {
    prototype = Object.getPrototypeOf(arg);
  } catch {
    // The argument is a Proxy, which is refused when it is captured.
    return false;
  }
  if (prototype === Object.prototype || prototype === Array.prototype) return false;
  return isInstance(arg, DeploymentResponse) || isRequest(arg);
}

const shared = new Capture();
let isCapturing = false;

/** Captures the arguments; false if an argument was refused (the call has failed then). */
function takeArguments(call: Call, args: readonly unknown[]): boolean {
  if (call.route.config.isByReference) {
    call.args = args;
    return true;
  }
  // A getter of an argument may make a call itself.
  const capture = isCapturing ? new Capture() : shared;
  const outer = isCapturing;
  isCapturing = true;
  try {
    capture.reset();
    const captured = capture.takeAll(args, call.method);
    const { marks, transfer, bytes, isMoving } = capture;
    if (isMoving && call.route.config.isCopied === true) throw cannotMove(call);
    const taken: CapturedValue = { value: captured, marks, transfer, bytes };
    const sent = isMoving ? moveNow(taken, call.method) : taken;
    call.args = sent.value as unknown[];
    call.marks = sent.marks;
    call.transfer = sent.transfer;
    call.bytes = bytes;
    return true;
  } catch (error) {
    call.reject(error);
    return false;
  } finally {
    isCapturing = outer;
  }
}

function cannotMove({ method, route }: Call): ServeError {
  const what =
    "transfer() cannot move memory to another process; with isolation 'process' arguments are copied";
  return new ServeError('SERVE_NOT_SERIALIZABLE', `${method}: ${what}`, { deployment: route.deployment });
}

/** The earliest of the deployment's timeout, the caller's timeout, and the parent call's deadline. */
function deadlineOf(call: Call, timeoutMs: number | undefined, scope: CallScope | undefined): number {
  const own = call.route.config.requestTimeoutMs;
  const timeout =
    timeoutMs === undefined || timeoutMs === 0 ? own : own === 0 ? timeoutMs : Math.min(own, timeoutMs);
  const deadline = timeout === 0 ? 0 : call.createdAt + timeout;
  const parent = scope?.deadlineAt ?? 0;
  return parent === 0 ? deadline : deadline === 0 ? parent : Math.min(deadline, parent);
}

function metaOf(options: HandleOptions): CallMeta | undefined {
  const meta: CallMeta = {};
  if (options.multiplexedModelId !== undefined) meta.multiplexedModelId = options.multiplexedModelId;
  if (options.tenant !== undefined) meta.tenant = options.tenant;
  if (options.sessionId !== undefined) meta.sessionId = options.sessionId;
  if (options.priority !== undefined) meta.priority = priorityRank(options.priority);
  return Object.keys(meta).length === 0 ? undefined : meta;
}

function inherit(own: CallMeta | undefined, scope: CallScope): CallMeta {
  const { requestId } = scope;
  const meta: CallMeta = own === undefined ? { requestId } : { ...own, requestId };
  if (scope.route !== undefined) meta.route = scope.route;
  if (scope.traceparent !== undefined) meta.traceparent = scope.traceparent;
  if (scope.tracestate !== undefined) meta.tracestate = scope.tracestate;
  if (meta.tenant === undefined && scope.tenant !== undefined) meta.tenant = scope.tenant;
  if (meta.sessionId === undefined && scope.sessionId !== undefined) meta.sessionId = scope.sessionId;
  if (meta.priority === undefined && scope.priorityRank !== undefined) meta.priority = scope.priorityRank;
  return meta;
}

/** The routers of this thread by instance: one in a replica, one per `Serve` on the host. */
const routers = new Map<string, Router>();

/** Instance whose replica receives handles in the arguments of its constructor, where a thread has several instances. */
let receiver = '';

/** Runs `work` while handles without an instance belong to this one. */
export function receiveHandles<R>(instance: string, work: () => R): R {
  const outer = receiver;
  receiver = instance;
  try {
    return work();
  } finally {
    receiver = outer;
  }
}

onReviveHandle((data) => {
  const { instance, app, deployment, options } = data as HandleReference;
  const router = routers.get(instance || receiver) ?? routers.values().next().value;
  if (router === undefined) throw new TypeError('this thread has no router: a handle cannot be used here');
  return createHandle(router, app, deployment, options);
});

/** Binds handles that arrive in this thread to this router. @returns removes the router */
export function adoptHandles(router: Router): () => void {
  routers.set(router.instanceId, router);
  return () => routers.delete(router.instanceId);
}
