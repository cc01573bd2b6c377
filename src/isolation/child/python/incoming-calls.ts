import { StreamWindow } from '../../../channel/stream-window.ts';
import { KWARGS_KEY } from '../../../deployment/python/kwargs.ts';
import { ServeError } from '../../../errors.ts';
import type { HandleReference } from '../../../handle/api/handle.ts';
import type { HandleOptions } from '../../../handle/api/handle-types.ts';
import { DeploymentStream } from '../../../handle/api/response.ts';
import { type CallScope, callScope } from '../../../handle/call/scope.ts';
import { inRootContext } from '../../../time/root-context.ts';
import { isThenable } from '../../../validation/thenable.ts';
import { MARK, PORTABLE, type Portable } from '../../../values/marks.ts';
import type { FrameWriter } from './frame-writer.ts';
import { FRAME } from './frames.ts';

/** The part of a handle that calls need. */
type AnyHandle = Readonly<Record<string, { remote(...args: unknown[]): unknown }>> & {
  options(changes: HandleOptions): AnyHandle;
};

/** An object of the gateway whose methods Python may call for a while. */
export type LentObject = Readonly<Record<string, { remote(...args: unknown[]): unknown }>>;

/** A call that Python made and that has not ended. */
interface OpenCall {
  cancel(): void;
  window?: StreamWindow;
}

/** The handles that Python holds, by numbers. */
export class HandleTable {
  readonly #numbers = new Map<string, number>();
  readonly #handles = new Map<number, AnyHandle>();
  #nextNumber = 0;

  /** The number of a handle; undefined for any other value. */
  readonly numberOf = (value: object): number | undefined => {
    const standIn = PORTABLE in value ? (value as Portable)[PORTABLE]() : undefined;
    if (standIn?.kind !== MARK.handle) return undefined;
    const { app, deployment, options } = standIn.data as HandleReference;
    const key = JSON.stringify([app, deployment, options]);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#add(value as AnyHandle);
    this.#numbers.set(key, number);
    return number;
  };

  /** Lets Python call an object under a number, until `takeBack`. */
  lend(object: LentObject): number {
    return this.#add(object as AnyHandle);
  }

  takeBack(number: number): void {
    this.#handles.delete(number);
  }

  /** @throws ServeError `SERVE_NOT_FOUND` */
  readonly get = (number: number): AnyHandle => {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new ServeError('SERVE_NOT_FOUND', `there is no handle ${number}`);
    return handle;
  };

  #add(handle: AnyHandle): number {
    const number = this.#nextNumber++;
    this.#handles.set(number, handle);
    return number;
  }
}

/** Makes the calls that Python asks for, each within the scope of the call that it belongs to. */
export class IncomingCalls {
  readonly #writer: FrameWriter;
  readonly #handles: HandleTable;
  readonly #open = new Map<number, OpenCall>();

  constructor(writer: FrameWriter, handles: HandleTable) {
    this.#writer = writer;
    this.#handles = handles;
  }

  /** @param values the arguments, and keyword arguments if there are any */
  start(
    id: number,
    scope: CallScope | undefined,
    handle: number,
    [method, options]: readonly [method: string, options: HandleOptions],
    [args, kwargs]: readonly [args: unknown[], kwargs?: object],
  ): void {
    const all = kwargs === undefined ? args : [...args, { [KWARGS_KEY]: kwargs }];
    const call = (): void => {
      try {
        this.#run(id, this.#handles.get(handle), method, options, all);
      } catch (error) {
        this.#fail(id, error);
      }
    };
    if (scope?.isRunning === true) callScope.run(scope, call);
    else inRootContext(call);
  }

  cancel(id: number): void {
    const call = this.#open.get(id);
    this.#open.delete(id);
    call?.window?.close();
    call?.cancel();
  }

  credit(id: number, chunks: number): void {
    this.#open.get(id)?.window?.credited(chunks);
  }

  /** Cancels all calls, because Python is gone. */
  close(): void {
    for (const id of [...this.#open.keys()]) this.cancel(id);
  }

  #run(id: number, handle: AnyHandle, method: string, options: HandleOptions, args: unknown[]): void {
    const adjusted = Object.keys(options).length === 0 ? handle : handle.options(options);
    const target =
      method === 'call' ? (adjusted as unknown as { remote(...args: unknown[]): unknown }) : adjusted[method];
    const response = target?.remote(...args);
    if (!isThenable(response)) throw new ServeError('SERVE_UNKNOWN_METHOD', `there is no method ${method}`);
    this.#open.set(id, { cancel: () => (response as unknown as { cancel(): void }).cancel() });
    response.then(
      (value) => (value instanceof DeploymentStream ? void this.#stream(id, value) : this.#result(id, value)),
      (error: unknown) => this.#fail(id, error),
    );
  }

  #result(id: number, value: unknown): void {
    if (!this.#open.delete(id)) return;
    try {
      this.#writer.value(`${FRAME.childResult},${id},`, value, 'result');
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #fail(id: number, error: unknown): void {
    this.#open.delete(id);
    const shown = error instanceof Error ? error : new Error(String(error));
    try {
      this.#writer.value(`${FRAME.childError},${id},`, shown, 'error');
    } catch (refusal) {
      this.#writer.value(`${FRAME.childError},${id},`, refusal, 'error');
    }
  }

  async #stream(id: number, stream: DeploymentStream<unknown>): Promise<void> {
    const window = new StreamWindow();
    this.#open.set(id, { cancel: () => stream.cancel(), window });
    try {
      for await (const value of stream) {
        window.sent(0);
        this.#writer.value(`${FRAME.childChunk},${id},`, value, 'result');
        if (!window.hasRoom) await window.room();
        if (!this.#open.has(id)) return;
      }
      if (this.#open.delete(id)) this.#writer.text(`[${FRAME.childEnd},${id}]`);
    } catch (error) {
      if (this.#open.has(id)) this.#fail(id, error);
    }
  }
}
