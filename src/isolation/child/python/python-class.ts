import { type Batched, batch } from '../../../batching/batch.ts';
import { BatchError } from '../../../batching/batch-error.ts';
import type { BatchOptions } from '../../../batching/batch-options.ts';
import { splitKwargs } from '../../../deployment/python/kwargs.ts';
import type { PythonBatchOptions } from '../../../deployment/python/python-plan.ts';
import { invalidOption } from '../../../errors.ts';
import { callScope } from '../../../handle/call/scope.ts';
import type { ServeContext } from '../../../handle/call/serve-context.ts';
import { jsonRequest } from '../../../input/adapters.ts';
import type { ServerWebSocket } from '../../../replica/ingress/server-web-socket.ts';
import { isPlainObject } from '../../../validation/fields.ts';
import { isRequest } from '../../../values/request.ts';
import type { PythonLink } from './link.ts';
import { assertOneItem } from './one-item.ts';
import { SocketBridge } from './socket-bridge.ts';
import { stackedGroups } from './stacking.ts';
import { type DecodeOptions, PythonResponse } from './values/decode.ts';
import { RequestParts } from './values/encode.ts';

/** A method as the runner describes it. */
export type MethodDescription = readonly [
  name: string,
  isStream: boolean,
  batch: DecoratedBatch | null,
  arity: number,
];

/** Options of `@batch`. */
interface DecoratedBatch extends PythonBatchOptions {
  /** Whether Python weighs the items, by its `batch_size_fn`. */
  readonly weighed?: boolean;
}

/** The answer of the runner once the instance is created. */
export interface InstanceDescription {
  readonly methods: readonly MethodDescription[];
  readonly hooks: readonly string[];
  /** The argument of `__call__` for an HTTP request. */
  readonly ingress: 'request' | 'body' | 'nothing';
  /** Whether all methods are synchronous. */
  readonly sync: boolean;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Methods of HTTP requests that have no body. */
const BODILESS: readonly string[] = ['GET', 'HEAD', 'DELETE', 'OPTIONS'];

const FOR_HTTP: DecodeOptions = { tensors: 'json' };

/** Makes the methods of a JavaScript object that stands for an instance in Python. */
export class PythonMethods {
  readonly #link: PythonLink;
  readonly #ingress: InstanceDescription['ingress'];
  readonly #batched = new Map<string, Batched<unknown, unknown>>();

  constructor(link: PythonLink, ingress: InstanceDescription['ingress']) {
    this.#link = link;
    this.#ingress = ingress;
  }

  /** @param given batch options of the deployment, which override those of `@batch` */
  make([name, isStream, decorated, arity]: MethodDescription, given: PythonBatchOptions | undefined): Method {
    const options = given === undefined && decorated === null ? undefined : { ...decorated, ...given };
    if (options !== undefined) return this.#collected(name, isStream, options);
    if (name === 'websocket') return this.#websocket() as Method;
    const method = name === 'call' ? this.#call(isStream) : this.#plain(name, isStream);
    return Object.defineProperty(method, 'length', { value: Math.max(1, arity) });
  }

  /** Python has changed options of a batched method; null = unchanged, perhaps given by the deployment. */
  batchChanged(name: string, maxBatchSize: number | null, batchWaitTimeoutMs: number | null): void {
    const batched = this.#batched.get(name);
    if (maxBatchSize !== null) batched?.setMaxBatchSize(maxBatchSize);
    if (batchWaitTimeoutMs !== null) batched?.setBatchWaitTimeoutMs(batchWaitTimeoutMs);
  }

  /** Serves a WebSocket; its connection is closed when Python has returned. */
  #websocket(): (socket: ServerWebSocket, request: Request) => Promise<void> {
    return async (socket, request) => {
      const number = this.#link.lend(new SocketBridge(socket).methods);
      try {
        const args = [number, await requestParts(request)];
        await this.#link.call('websocket', args, undefined, { isStream: false, outlivesClient: true });
        socket.close(1000);
      } finally {
        this.#link.takeBack(number);
      }
    };
  }

  #plain(name: string, isStream: boolean): Method {
    return (...args) => {
      const [positional, named] = splitKwargs(args);
      if (positional.some(isRequest)) return this.#withRequests(name, isStream, positional, named);
      return this.#link.call(name, positional, named, { isStream });
    };
  }

  async #withRequests(
    name: string,
    isStream: boolean,
    args: readonly unknown[],
    named: object | undefined,
  ): Promise<unknown> {
    const parts = await Promise.all(args.map((arg) => (isRequest(arg) ? requestParts(arg) : arg)));
    return this.#link.call(name, parts, named, { isStream });
  }

  #call(isStream: boolean): Method {
    const plain = this.#plain('call', isStream);
    return (...args) => {
      const [request] = args;
      return args.length === 1 && isRequest(request) ? this.#answer(request, isStream) : plain(...args);
    };
  }

  /** Answers an HTTP request: tensors are nested arrays, and `inserve.Response` is a response. */
  async #answer(request: Request, isStream: boolean): Promise<unknown> {
    const args = await this.#httpArguments(request);
    const answer = this.#link.call('call', args, undefined, { isStream, isHttp: true, decoding: FOR_HTTP });
    return isStream ? answer : toResponse(await answer);
  }

  async #httpArguments(request: Request): Promise<unknown[]> {
    if (this.#ingress === 'nothing') return [];
    if (this.#ingress === 'request') return [await requestParts(request)];
    return [BODILESS.includes(request.method) ? null : await jsonRequest(request)];
  }

  #collected(name: string, isStream: boolean, options: DecoratedBatch): Method {
    const { stack = false, weighed = false, ...others } = options;
    const link = this.#link;
    const makeOptions: BatchOptions = weighed
      ? { ...others, sizeOf: (item) => (item as Weighed).weight }
      : others;
    const itemsOf = (items: readonly unknown[]): readonly unknown[] =>
      weighed ? items.map((item) => (item as Weighed).item) : items;
    let batched: Batched<unknown, unknown>;
    if (isStream) {
      if (stack) throw invalidOption(`batch.${name}.stack`, stack, 'not to be set for a generator method');
      batched = batch(makeOptions, async function* (items: unknown[]) {
        const given = itemsOf(items);
        const chunks = link.call(name, [given], undefined, { isStream: true, items: contexts(items.length) });
        for await (const chunk of chunks as AsyncIterable<unknown[]>) yield chunk.map(toSlot);
      });
    } else {
      batched = batch(makeOptions, (items: unknown[]) => this.#runBatch(name, stack, itemsOf(items)));
    }
    this.#batched.set(name, batched);
    // Metrics name the batches by this function, which others may wrap.
    Object.defineProperty(batched, 'name', { value: name });
    const method = weighed ? this.#weighing(name, isStream, batched) : (batched as Method);
    const checked: Method = function (this: unknown, item, ...others) {
      if (others.length > 0 || isPlainObject(item)) assertOneItem(name, [item, ...others]);
      return method.call(this, item);
    };
    Object.assign(checked, batched);
    return name === 'call' ? this.#batchedIngress(checked) : checked;
  }

  async #runBatch(name: string, stack: boolean, items: readonly unknown[]): Promise<unknown[]> {
    const run = async (part: readonly unknown[], list: unknown): Promise<unknown[]> => {
      const scopes = { isStream: false, items: contexts(part.length), decoding: { rows: true } };
      const results = await this.#link.call(name, [list], undefined, scopes);
      return (results as unknown[]).map(toSlot);
    };
    if (!stack) return run(items, items);
    const results = new Array<unknown>(items.length);
    for (const { indices, list } of stackedGroups(items)) {
      const part = await run(indices, list);
      for (const [at, index] of indices.entries()) results[index] = part[at];
    }
    return results;
  }

  /** Asks Python for the weight of an item before the item joins a batch. */
  #weighing(name: string, isStream: boolean, batched: Batched<unknown, unknown>): Method {
    const weigh = async (item: unknown): Promise<Weighed> => {
      const weight = await this.#link.ask('weigh', [name, item]);
      return { item, weight: Number(weight) };
    };
    const method: Method = isStream
      ? async function* (item) {
          yield* batched(await weigh(item)) as AsyncIterable<unknown>;
        }
      : async (item) => batched(await weigh(item));
    return method;
  }

  /** The body of an HTTP request is the item. */
  #batchedIngress(batched: Method): Method {
    const answer = async (request: Request): Promise<unknown> =>
      toResponse(await batched(await jsonRequest(request)));
    const ingress: Method = (item, ...others) => (isRequest(item) ? answer(item) : batched(item, ...others));
    return Object.assign(ingress, batched);
  }
}

/** An item of a batch whose size is the sum of weights. */
interface Weighed {
  readonly item: unknown;
  readonly weight: number;
}

/** A slot of a batch that holds an exception makes only its item fail. */
function toSlot(result: unknown): unknown {
  return result instanceof Error ? new BatchError(result) : result;
}

/** The contexts of a batch's items, one per item. */
function contexts(count: number): readonly (ServeContext | undefined)[] {
  const items = callScope.getStore()?.context.items ?? [];
  return Array.from({ length: count }, (_, index) => items[index]);
}

async function requestParts(request: Request): Promise<RequestParts> {
  const { method, url, headers } = request;
  const body = BODILESS.includes(method) && request.body === null ? undefined : await request.arrayBuffer();
  return new RequestParts({
    method,
    url,
    headers: [...headers],
    ...(body !== undefined && { body: new Uint8Array(body) }),
    params: callScope.getStore()?.context.params ?? {},
  });
}

/** Statuses of responses without a body. */
const NO_BODY: readonly number[] = [101, 204, 205, 304];

function toResponse(value: unknown): unknown {
  if (!(value instanceof PythonResponse)) return value;
  const { status, headers, body } = value.parts;
  return new Response(NO_BODY.includes(status) ? null : body, { status, headers });
}
