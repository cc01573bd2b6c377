import { CANCEL_CODE } from '../channel/frames.ts';
import type { ResponseEnvelope } from '../channel/http-envelope.ts';
import { HTTP_METHOD_NAME } from '../channel/method-names.ts';
import { Call } from '../handle/call/call.ts';
import type { Route } from '../handle/routing/route.ts';
import { type AnswerTo, hasNoBody, prepareHead, sendWhole } from './response/answer.ts';
import { StreamedAnswer } from './response/streamed-answer.ts';

/** The exchange that a call belongs to. */
export interface HttpOutcome extends AnswerTo {
  /** The exchange is over; this error is to be answered with. */
  failed(error: unknown): void;
  /** The app answered 404 and the next handler was asked: the exchange is over. False if it is not asked. */
  passes(): boolean;
  /** The call went to a replica, which may be sent the body now. */
  sent(): void;
  /** The replica asks for (more of) the request body. */
  credited(chunks: number): void;
  /** The exchange is over: the response is written. */
  done(): void;
}

/**
 * A call whose caller is an HTTP client: the replica's answer goes to the socket as it comes, no faster than the client
 * reads it.
 *
 * The host's handlers, listeners and loggers run along with the answer, so all of it happens in the async context in which
 * the host handed the request over. It arrives in that of the channel, which is shared.
 */
export class HttpCall extends Call {
  readonly #outcome: HttpOutcome;
  readonly #origin = this.keepOrigin();
  #stream: StreamedAnswer | undefined = undefined;
  /** Everything was answered; what the replica still sends is of no interest. */
  #isAnswered = false;

  constructor(route: Route, outcome: HttpOutcome) {
    super(route, HTTP_METHOD_NAME);
    this.#outcome = outcome;
  }

  /** Ends the call with an error of this side. */
  giveUp(error: unknown): void {
    this.abandon('error', error, CANCEL_CODE.cancelled);
  }

  protected override onResult(value: unknown): void {
    this.#origin.runInAsyncScope(this.#answer, this, value);
  }

  #answer(value: unknown): void {
    const [status, headers, body] = value as ResponseEnvelope;
    const outcome = this.#outcome;
    if (status === 404 && outcome.passes()) return;
    try {
      sendWhole(outcome, status, headers, body);
    } catch (error) {
      // Such as a response that somebody else has begun.
      outcome.failed(error);
      return;
    }
    outcome.done();
  }

  protected override onError(error: unknown): void {
    this.#origin.runInAsyncScope(this.#fail, this, error);
  }

  #fail(error: unknown): void {
    if (!this.#isAnswered) this.#outcome.failed(error);
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
      // A length that is not kept would shift every later answer on the connection.
      if (res.hasHeader('content-length')) res.strictContentLength = true;
      if (outcome.isHead || hasNoBody(status)) {
        res.end();
        outcome.done();
        this.#finishEarly();
        return;
      }
      this.#stream = new StreamedAnswer(res, (chunks) => this.endpoint?.channel.credit(this, chunks));
    } catch (error) {
      this.giveUp(error);
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
      this.giveUp(error);
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
    this.#origin.runInAsyncScope(this.#outcome.sent, this.#outcome);
  }

  protected override onCredit(chunks: number): void {
    this.#origin.runInAsyncScope(this.#outcome.credited, this.#outcome, chunks);
  }

  /** The rest of the stream is not wanted, and nothing went wrong. */
  #finishEarly(): void {
    this.#isAnswered = true;
    this.abandon('ok', undefined, CANCEL_CODE.cancelled);
  }
}
