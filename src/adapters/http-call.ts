import { CANCEL_CODE } from '../channel/frames.ts';
import { type PackedResponse, type ResponseEnvelope, unpackResponse } from '../channel/http-envelope.ts';
import { HTTP_METHOD_NAME } from '../channel/method-names.ts';
import { ServeError } from '../errors.ts';
import { isUnknownRoute } from '../graph/unknown-route.ts';
import { Call } from '../handle/call/call.ts';
import type { Route } from '../handle/routing/route.ts';
import { type AnswerTo, hasNoBody, prepareHead, sendWhole } from './response/answer.ts';
import { toProblem } from './response/problem.ts';
import { StreamedAnswer } from './response/streamed-answer.ts';

/** The exchange that a call belongs to. */
export interface HttpOutcome extends AnswerTo {
  /** Ends the exchange by answering with the error. */
  failed(error: unknown): void;
  /** Hands a request that the app answered with 404 to the next handler. Returns false if that is not possible. */
  passes(): boolean;
  /** The call was sent to a replica, which can now receive the body. */
  sent(): void;
  /** The replica has room for more of the request body. */
  credited(chunks: number): void;
  /** Ends the exchange, because the response is written. */
  done(): void;
}

/**
 * A call whose caller is an HTTP client. The replica's answer is written to the socket as it arrives, no faster than the client
 * reads it.
 *
 * Answers arrive in the async context of the channel, which all calls share. They are processed in the context in which the
 * host passed the request on, because the host's handlers, listeners and loggers run with them.
 */
export class HttpCall extends Call {
  readonly #outcome: HttpOutcome;
  readonly #origin = this.keepOrigin();
  #stream: StreamedAnswer | undefined = undefined;
  /** Whether the response is complete, so that the rest of the replica's answer is ignored. */
  #isAnswered = false;

  constructor(route: Route, outcome: HttpOutcome) {
    super(route, HTTP_METHOD_NAME);
    this.#outcome = outcome;
  }

  /** Ends the call with an error from the host's side. */
  destroy(error: unknown): void {
    this.cancelAs('error', error, CANCEL_CODE.cancelled);
  }

  protected override onResult(value: unknown): void {
    this.#origin.runInAsyncScope(this.#answer, this, value);
  }

  #answer(value: unknown): void {
    const [status, headers, body] = unpackResponse(value as PackedResponse);
    const outcome = this.#outcome;
    if (status === 404 && outcome.passes()) return;
    try {
      sendWhole(outcome, status, headers, body);
    } catch (error) {
      // For instance, another handler may have begun the response.
      outcome.failed(error);
      return;
    }
    outcome.done();
  }

  protected override onError(error: unknown): void {
    this.#origin.runInAsyncScope(this.#fail, this, error);
  }

  #fail(error: unknown): void {
    if (this.#isAnswered) return;
    if (this.#stream === undefined && isNotFound(error) && this.#outcome.passes()) return;
    this.#outcome.failed(error);
  }

  protected override onOpen(head: unknown): void {
    this.#origin.runInAsyncScope(this.#open, this, head);
  }

  #open(head: unknown): void {
    const [status, headers] = head as ResponseEnvelope;
    const outcome = this.#outcome;
    if (status === 404 && outcome.passes()) {
      this.#finishEarly();
      return;
    }
    const { res } = outcome;
    try {
      prepareHead(outcome, status, headers);
      // A body of another length would corrupt every later answer on the connection.
      if (res.hasHeader('content-length')) res.strictContentLength = true;
      if (outcome.isHead || hasNoBody(status)) {
        res.end();
        outcome.done();
        this.#finishEarly();
        return;
      }
      this.#stream = new StreamedAnswer(res, (chunks) => this.endpoint?.channel.credit(this, chunks));
    } catch (error) {
      this.destroy(error);
    }
  }

  protected override onChunk(value: unknown, bytes: number): void {
    this.#origin.runInAsyncScope(this.#write, this, value, bytes);
  }

  #write(value: unknown, bytes: number): void {
    if (this.#outcome.res.destroyed) return;
    try {
      this.#stream?.write(value as string | Uint8Array, bytes);
    } catch (error) {
      this.destroy(error);
    }
  }

  protected override onEnd(): void {
    this.#origin.runInAsyncScope(this.#end, this);
  }

  #end(): void {
    try {
      this.#outcome.res.end();
    } catch (error) {
      this.#outcome.failed(error);
      return;
    }
    this.#outcome.done();
  }

  override onSent(): void {
    super.onSent();
    this.#origin.runInAsyncScope(this.#outcome.sent, this.#outcome);
  }

  protected override onCredit(chunks: number): void {
    this.#origin.runInAsyncScope(this.#outcome.credited, this.#outcome, chunks);
  }

  /** Ends the call successfully without the rest of the stream. */
  #finishEarly(): void {
    this.#isAnswered = true;
    this.cancelAs('ok', undefined, CANCEL_CODE.cancelled);
  }
}

/** Whether the app answers with 404 by an error. A `SERVE_NOT_FOUND` of a call that it made is a failure of the app. */
function isNotFound(error: unknown): boolean {
  return isUnknownRoute(error) || (!(error instanceof ServeError) && toProblem(error).status === 404);
}
