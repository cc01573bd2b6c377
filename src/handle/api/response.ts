import { ServeError } from '../../errors.ts';
import { time } from '../../time/clock.ts';
import { Call, type CallOwner } from '../call/call.ts';
import { callError } from '../call/call-errors.ts';
import { type CallExplanation, explainCall } from '../call/explanation.ts';
import { StreamReader, type StreamSource } from './stream.ts';

const CALL: unique symbol = Symbol('inserve.call');

type Settle = (value: unknown) => void;

let pendingResolve: Settle;
let pendingReject: Settle;

/** One executor for all responses: no closure per call. */
function executor(resolve: Settle, reject: Settle): void {
  pendingResolve = resolve;
  pendingReject = reject;
}

/**
 * The value that `remote()` returns: the promise of the result, or of the stream if the method is a generator. `for
 * await` over it reads the stream directly.
 *
 * A response behaves as a plain promise: `constructor` answers `Promise`, so `await` takes V8's short way (a subclass
 * would cost two more microtask turns) and `then()` gives plain promises. The same getter tells a response that it is
 * observed: both `await` and `then()` read it first. An unobserved response never raises `unhandledRejection`.
 */
export class DeploymentResponse<R> extends Promise<R> implements AsyncIterable<unknown> {
  /** @internal */ [CALL]!: PromiseCall;

  /** Ends the call: a queued call never runs, a running call's signal aborts. Does nothing once the call has ended. */
  cancel(reason?: unknown): void {
    this[CALL].cancel(reason);
  }

  /** The id of the call in the log, in `context()` and in its child calls. */
  get requestId(): string {
    return this[CALL].requestId;
  }

  /** Explains where the call has spent its time so far. */
  explain(): CallExplanation {
    return this[CALL].explain();
  }

  /** Refuses a response that was not awaited, as in `res.json(handle.remote())`: the JSON of a promise is `{}`. */
  toJSON(): never {
    const what = 'the response of a call cannot be written as JSON: await it first';
    throw callError(this[CALL], 'SERVE_NOT_SERIALIZABLE', what);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return new ResponseIterator(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }
}

Object.defineProperty(DeploymentResponse.prototype, 'constructor', {
  configurable: true,
  get(this: DeploymentResponse<unknown>): PromiseConstructor {
    const call = this[CALL];
    if (call !== undefined) call.isObserved = true;
    return Promise;
  },
});
Object.defineProperty(DeploymentResponse.prototype, Symbol.toStringTag, {
  value: 'Promise',
  configurable: true,
});

/** Reads the stream of a response; waits for it to open first. */
class ResponseIterator implements AsyncIterator<unknown, undefined> {
  readonly #response: DeploymentResponse<unknown>;
  #reader: AsyncIterator<unknown, undefined> | undefined = undefined;

  constructor(response: DeploymentResponse<unknown>) {
    this.#response = response;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#reader === undefined ? this.#first() : this.#reader.next();
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#reader === undefined) this.#response.cancel();
    else await this.#reader.return?.();
    return { done: true, value: undefined };
  }

  async #first(): Promise<IteratorResult<unknown, undefined>> {
    const stream = await this.#response;
    if (!(stream instanceof DeploymentStream)) {
      const { route, method } = callOf(this.#response);
      throw new TypeError(`${route.deployment}.${method} did not return a generator: await it instead`);
    }
    this.#reader ??= stream[Symbol.asyncIterator]();
    return this.#reader.next();
  }
}

/**
 * The values that a generator method yields, one by one. A stream is not a promise: awaiting it gives the stream
 * itself.
 */
export class DeploymentStream<Y> implements AsyncIterable<Y> {
  readonly #call: PromiseCall;
  readonly #reader: StreamReader;

  constructor(call: PromiseCall, reader: StreamReader) {
    this.#call = call;
    this.#reader = reader;
  }

  /** Ends the stream; the generator's `finally` blocks run in the replica. */
  cancel(reason?: unknown): void {
    this.#call.cancel(reason);
  }

  get requestId(): string {
    return this.#call.requestId;
  }

  explain(): CallExplanation {
    return this.#call.explain();
  }

  [Symbol.asyncIterator](): AsyncIterator<Y, undefined> {
    return this.#reader as AsyncIterator<Y, undefined>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }
}

/** A call whose caller holds a `DeploymentResponse`. */
export class PromiseCall extends Call implements StreamSource {
  readonly response: DeploymentResponse<unknown>;
  isObserved = false;
  readonly #resolve: Settle;
  readonly #reject: Settle;
  #reader: StreamReader | undefined = undefined;
  #outcome = '';
  #isGivenUp = false;

  constructor(route: CallOwner, method: string) {
    super(route, method);
    const response = new DeploymentResponse<unknown>(executor);
    response[CALL] = this;
    this.response = response;
    this.#resolve = pendingResolve;
    this.#reject = pendingReject;
  }

  override cancel(reason?: unknown): void {
    this.#isGivenUp = true;
    super.cancel(reason);
  }

  explain(): CallExplanation {
    return explainCall(this, this.#outcome);
  }

  credit(chunks: number): void {
    this.endpoint?.channel.credit(this, chunks);
  }

  protected override onResult(value: unknown): void {
    this.#outcome = 'ok';
    this.#resolve(value);
  }

  protected override onError(error: unknown): void {
    this.#outcome = error instanceof ServeError ? error.code : 'error';
    if (this.#reader !== undefined) {
      this.#reader.fail(error);
      return;
    }
    if (!this.isObserved) this.#watchUnobserved(error);
    this.#reject(error);
  }

  protected override onOpen(): void {
    this.#reader = new StreamReader(this);
    this.#resolve(new DeploymentStream(this, this.#reader));
  }

  protected override onChunk(value: unknown, bytes: number): void {
    this.#reader?.push(value, bytes);
  }

  protected override onEnd(): void {
    this.#outcome = 'ok';
    this.#reader?.end();
  }

  /**
   * Logs and counts an unobserved failure after this turn, when Node would raise `unhandledRejection`. Cancellations
   * are skipped: the caller gave the call up, or the parent call was cancelled and is counted itself.
   */
  #watchUnobserved(error: unknown): void {
    Promise.prototype.then.call(this.response, undefined, () => {});
    this.isObserved = false;
    if (this.#isGivenUp || (this.#outcome === 'SERVE_TIMEOUT' && this.isLateWithCaller)) return;
    time.soon(() => {
      if (!this.isObserved) this.route.unobserved(error, this);
    });
  }
}

/** @internal The call behind a response. */
export function callOf(response: DeploymentResponse<unknown>): PromiseCall {
  return response[CALL];
}
