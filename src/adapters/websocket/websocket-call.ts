import { CANCEL_CODE } from '../../channel/frames.ts';
import type { SocketFrame } from '../../channel/http-envelope.ts';
import { WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import { Call } from '../../handle/call/call.ts';
import type { Route } from '../../handle/routing/route.ts';

/** Receives the events of a connection's call. */
export interface WebSocketOutcome {
  /** The app has accepted the connection. */
  opened(): void;
  frame(frame: SocketFrame): void;
  /** The app has room for more messages. */
  credited(chunks: number): void;
  /** The app has ended the connection. */
  ended(): void;
  /** The connection was refused or has ended with this error. */
  failed(error: unknown): void;
}

/**
 * A call that lasts as long as a WebSocket: its upload is the client's messages, its stream the app's messages. The deadline
 * applies to the handshake only. Events are reported in the async context of the upgrade.
 */
export class WebSocketCall extends Call {
  readonly #outcome: WebSocketOutcome;
  readonly #origin = this.keepOrigin();

  constructor(route: Route, outcome: WebSocketOutcome) {
    super(route, WEBSOCKET_METHOD_NAME);
    this.#outcome = outcome;
  }

  /** Ends a call that waits for a replica. */
  turnAway(error: unknown): void {
    if (this.isQueued) this.cancelAs('rejected', error, CANCEL_CODE.cancelled);
  }

  override expire(at: number): void {
    if (!this.isStreaming) super.expire(at);
  }

  /** Passes a message on. The time limits of streams do not apply. */
  override chunk(value: unknown): void {
    if (this.isStreaming) this.#tell(this.#outcome.frame, value as SocketFrame);
  }

  protected override onOpen(): void {
    this.#tell(this.#outcome.opened);
  }

  protected override onCredit(chunks: number): void {
    this.#tell(this.#outcome.credited, chunks);
  }

  protected override onEnd(): void {
    this.#tell(this.#outcome.ended);
  }

  protected override onError(error: unknown): void {
    this.#tell(this.#outcome.failed, error);
  }

  protected override onResult(): void {}

  protected override onChunk(): void {}

  #tell<A extends unknown[]>(what: (...args: A) => void, ...args: A): void {
    this.#origin.runInAsyncScope(what, this.#outcome, ...args);
  }
}
