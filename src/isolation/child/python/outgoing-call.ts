import { ServeError } from '../../../errors.ts';
import { StreamReader } from '../../../handle/api/stream.ts';
import type { CallScope, Child } from '../../../handle/call/scope.ts';
import type { DecodeOptions } from './values/decode.ts';

/** Receives the events of a call. */
export interface CallControl {
  cancel(id: number, isTimeout: boolean): void;
  credit(id: number, chunks: number): void;
}

export interface OutgoingOptions {
  readonly isStream: boolean;
  /** Whether the call goes on when its client has left. */
  readonly outlivesClient?: boolean;
  readonly decoding?: DecodeOptions;
}

/** A call on its way to Python: the parent of the calls that Python makes within it, and the child of its own caller. */
export class OutgoingCall implements Child {
  readonly id: number;
  readonly scope: CallScope | undefined;
  readonly decoding: DecodeOptions;
  readonly result: Promise<unknown> | undefined;
  #stream: StreamReader | undefined = undefined;
  readonly #control: CallControl;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    id: number,
    scope: CallScope | undefined,
    { isStream, outlivesClient = false, decoding = {} }: OutgoingOptions,
    control: CallControl,
  ) {
    this.id = id;
    this.scope = scope;
    this.decoding = decoding;
    this.#control = control;
    if (isStream) {
      this.#stream = this.#read();
    } else {
      this.result = new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
    }
    if (!outlivesClient) scope?.adopt(this);
  }

  get stream(): StreamReader | undefined {
    return this.#stream;
  }

  /** The result is a stream, also if the method is not a generator but returns one. */
  opened(): void {
    if (this.#stream !== undefined) return;
    this.#stream = this.#read();
    this.#resolve(this.#stream);
  }

  #read(): StreamReader {
    return new StreamReader({
      credit: (chunks) => this.#control.credit(this.id, chunks),
      cancel: (reason) => this.cancel(reason),
    });
  }

  /** Tells Python that the caller has left. The call holds its place until Python has ended it. */
  cancel(reason?: unknown): void {
    this.#control.cancel(this.id, reason instanceof ServeError && reason.code === 'SERVE_TIMEOUT');
  }

  resolved(value: unknown): void {
    this.scope?.disown(this);
    this.#stream?.end();
    this.#resolve(value);
  }

  failed(error: unknown): void {
    this.scope?.disown(this);
    this.#stream?.fail(error);
    this.#reject(error);
  }
}
