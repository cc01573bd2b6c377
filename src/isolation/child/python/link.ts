import type { Duplex } from 'node:stream';
import type { HandleOptions } from '../../../handle/api/handle-types.ts';
import { type CallScope, callScope } from '../../../handle/call/scope.ts';
import type { ServeContext } from '../../../handle/call/serve-context.ts';
import { now } from '../../../time/clock.ts';
import { FrameWriter } from './frame-writer.ts';
import { type CallMeta, FRAME, type Frame, PROTOCOL } from './frames.ts';
import { HandleTable, IncomingCalls, type LentObject } from './incoming-calls.ts';
import { BadMessageError, type Message, MessageReader } from './message.ts';
import { OutgoingCall } from './outgoing-call.ts';
import { type DecodeOptions, decodeValue, toError } from './values/decode.ts';

/** A change of a metric of user code: kind, name, options, value, labels. */
export type MetricChange = readonly [
  kind: string,
  name: string,
  options: object,
  value: number,
  labels: Record<string, string>,
];

/** Receives the runner's messages other than answers. */
export interface LinkListener {
  log(
    level: string,
    logger: string,
    message: string,
    requestId: string | undefined,
    route: string | undefined,
  ): void;
  /** The event loop of Python has turned. */
  tick(residentBytes: number, cpuSeconds: number): void;
  metric(change: MetricChange): void;
  /** The models that are loaded have changed. */
  models(ids: readonly string[]): void;
  modelLoaded(ms: number): void;
  /** A batched method has other options from its next batch on; null = unchanged. */
  batchChanged(method: string, maxBatchSize: number | null, batchWaitTimeoutMs: number | null): void;
  /** The runner broke the protocol. */
  broken(error: Error): void;
}

/** Settings of one call. */
export interface CallOptions {
  readonly isStream: boolean;
  /** Whether the call goes on when its client has left, of which it hears by its socket. */
  readonly outlivesClient?: boolean;
  /** Whether the result answers an HTTP request. */
  readonly isHttp?: boolean;
  /** The contexts of the items, if the call runs a batch. */
  readonly items?: readonly (ServeContext | undefined)[];
  readonly decoding?: DecodeOptions;
}

/** The gateway's side of the link to a runner: calls both ways and questions. Knows nothing of processes. */
export class PythonLink {
  readonly #writer: FrameWriter;
  readonly #listener: LinkListener;
  readonly #handles = new HandleTable();
  readonly #incoming: IncomingCalls;
  readonly #calls = new Map<number, OutgoingCall>();
  readonly #questions = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #hello = Promise.withResolvers<string>();
  #nextId = 1;
  #end: Error | undefined = undefined;

  constructor(socket: Duplex, listener: LinkListener) {
    this.#listener = listener;
    this.#writer = new FrameWriter(socket, this.#handles.numberOf);
    this.#incoming = new IncomingCalls(this.#writer, this.#handles);
    this.#hello.promise.catch(() => {});
    const reader = new MessageReader();
    socket.on('data', (chunk: Uint8Array) => {
      try {
        reader.push(chunk, (message) => this.#received(message));
      } catch (error) {
        listener.broken(error instanceof Error ? error : new BadMessageError(String(error)));
        socket.destroy();
      }
    });
  }

  /** Resolves with the version of Python once the runner is there. */
  get hello(): Promise<string> {
    return this.#hello.promise;
  }

  /** The number of calls that Python has not ended. */
  get openCalls(): number {
    return this.#calls.size;
  }

  /** Asks the runner for something other than a call. */
  ask(what: string, value: unknown): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = this.#nextId++;
    const question = Promise.withResolvers<unknown>();
    this.#questions.set(id, question);
    try {
      this.#writer.value(`${FRAME.ask},${id},"${what}",`, value, what);
    } catch (error) {
      this.#questions.delete(id);
      return Promise.reject(error);
    }
    return question.promise;
  }

  /**
   * Calls a method within the current scope.
   *
   * @returns a promise of the result, or the stream of a generator method
   */
  call(method: string, args: readonly unknown[], kwargs: object | undefined, options: CallOptions): unknown {
    const scope = callScope.getStore();
    const id = this.#nextId++;
    const call = new OutgoingCall(id, scope, options, this);
    this.#calls.set(id, call);
    if (this.#end !== undefined) {
      this.#failed(id, this.#end);
    } else {
      const values = kwargs === undefined ? [args] : [args, kwargs];
      try {
        const meta = JSON.stringify(metaOf(scope, options));
        this.#writer.value(`${FRAME.call},${id},${JSON.stringify(method)},`, values, method, `,${meta}`);
      } catch (error) {
        this.#failed(id, error);
      }
    }
    return call.stream ?? call.result;
  }

  /** Lets Python call the methods of an object under a number, until `takeBack`. */
  lend(object: LentObject): number {
    return this.#handles.lend(object);
  }

  takeBack(number: number): void {
    this.#handles.takeBack(number);
  }

  cancel(id: number, isTimeout: boolean): void {
    if (this.#calls.has(id)) this.#writer.text(`[${FRAME.cancel},${id},${isTimeout ? 1 : 0}]`);
  }

  credit(id: number, chunks: number): void {
    if (this.#calls.has(id)) this.#writer.text(`[${FRAME.credit},${id},${chunks}]`);
  }

  /** Sends what waits for the end of the turn. */
  flush(): void {
    this.#writer.flush();
  }

  /** The runner is gone: everything that waits for it fails with `error`. */
  close(error: Error): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#hello.reject(error);
    this.#incoming.close();
    for (const question of this.#questions.values()) question.reject(error);
    this.#questions.clear();
    for (const id of [...this.#calls.keys()]) this.#failed(id, error);
  }

  #failed(id: number, error: unknown): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.failed(error);
  }

  #received({ frames, attachments }: Message): void {
    for (const frame of frames) this.#frame(frame, attachments);
  }

  #frame(frame: Frame, attachments: Message['attachments']): void {
    const [kind, id, first, second] = frame as readonly [number, number, unknown, unknown];
    switch (kind) {
      case FRAME.result: {
        const call = this.#calls.get(id);
        if (call === undefined) return;
        const value = decodeValue(first, second, attachments, this.#decoding(call));
        this.#calls.delete(id);
        call.resolved(value);
        return;
      }
      case FRAME.error:
        this.#failed(id, toError(decodeValue(first, second, attachments)));
        return;
      case FRAME.chunk: {
        const call = this.#calls.get(id);
        call?.stream?.push(decodeValue(first, second, attachments, this.#decoding(call)), 0);
        return;
      }
      case FRAME.end: {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        call?.resolved(undefined);
        return;
      }
      case FRAME.open:
        this.#calls.get(id)?.opened();
        return;
      case FRAME.answer:
        this.#answered(id)?.resolve(decodeValue(first, second, attachments, { handle: this.#handles.get }));
        return;
      case FRAME.refusal:
        this.#answered(id)?.reject(toError(decodeValue(first, second, attachments)));
        return;
      case FRAME.hello:
        if (id !== PROTOCOL) throw new BadMessageError(`the runner speaks protocol ${id}, not ${PROTOCOL}`);
        this.#hello.resolve(String(first));
        return;
      case FRAME.childCancel:
        this.#incoming.cancel(id);
        return;
      case FRAME.childCredit:
        this.#incoming.credit(id, Number(first));
        return;
      default:
        this.#reported(frame, attachments);
    }
  }

  #decoding(call: OutgoingCall): DecodeOptions {
    return { handle: this.#handles.get, ...call.decoding };
  }

  #answered(id: number): PromiseWithResolvers<unknown> | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }

  #reported(frame: Frame, attachments: Message['attachments']): void {
    const listener = this.#listener;
    switch (frame[0]) {
      case FRAME.child: {
        const [, id, parent, handle, head, values, marks] = frame as readonly [
          number,
          number,
          number,
          number,
          [string, HandleOptions],
          unknown,
          unknown,
        ];
        const scope = this.#calls.get(parent)?.scope;
        const decoded = decodeValue(values, marks, attachments, {
          handle: this.#handles.get,
          tensors: 'public',
        });
        this.#incoming.start(id, scope, handle, head, decoded as [unknown[], object?]);
        return;
      }
      case FRAME.log: {
        const [level, logger, message, requestId, route] = frame[1] as readonly (string | null)[];
        listener.log(
          level ?? 'info',
          logger ?? '',
          message ?? '',
          requestId ?? undefined,
          route ?? undefined,
        );
        return;
      }
      case FRAME.tick:
        listener.tick(Number(frame[1]), Number(frame[2]));
        return;
      case FRAME.metric:
        listener.metric(frame[1] as MetricChange);
        return;
      case FRAME.models:
        if (Array.isArray(frame[1])) listener.models(frame[1] as string[]);
        else listener.modelLoaded(Number(frame[2]));
        return;
      case FRAME.batch:
        listener.batchChanged(String(frame[1]), frame[2] as number | null, frame[3] as number | null);
        return;
      default:
        throw new BadMessageError(`a frame of an unknown kind ${String(frame[0])}`);
    }
  }
}

function metaOf(scope: CallScope | undefined, { isHttp, items }: CallOptions): CallMeta {
  const deadlineAt = scope?.deadlineAt ?? 0;
  return {
    ...(scope !== undefined && describe(scope.context)),
    ...(deadlineAt !== 0 && { d: Math.max(0, deadlineAt - now()) }),
    ...(scope?.route !== undefined && { route: scope.route }),
    ...(isHttp === true && { h: 1 }),
    ...(items !== undefined && { b: items.map((item) => (item === undefined ? {} : describe(item))) }),
  };
}

function describe(context: ServeContext): CallMeta {
  const { requestId, multiplexedModelId, tenant, sessionId, params, locals, mountPath, ip } = context;
  return {
    ...(requestId !== '' && { r: requestId }),
    ...(multiplexedModelId !== '' && { m: multiplexedModelId }),
    ...(tenant !== undefined && { t: tenant }),
    ...(sessionId !== undefined && { s: sessionId }),
    ...(Object.keys(params).length > 0 && { p: params }),
    ...(mountPath !== '' && { mp: mountPath }),
    ...(ip !== undefined && { ip }),
    ...(locals !== undefined && { l: locals }),
  };
}
