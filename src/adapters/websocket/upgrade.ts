import {
  type CloseEnvelope,
  packRequest,
  type SocketEnvelope,
  type SocketFrame,
} from '../../channel/http-envelope.ts';
import { StreamWindow } from '../../channel/stream-window.ts';
import { ServeError } from '../../errors.ts';
import type { Direction } from '../../handle/call/counters.ts';
import { LARGE_BYTES } from '../../values/memory.ts';
import { NO_ENCODING } from '../../values/transfer.ts';
import type { HostContext } from '../exchange.ts';
import type { HttpTarget } from '../http.ts';
import type { ResolvedMiddlewareOptions } from '../middleware-options.ts';
import { deadlineOf, describeCall } from '../request/describe-call.ts';
import { absoluteUrl, givenRequestId, requestHeaders } from '../request/request-head.ts';
import { sendProblem, toProblem } from '../response/problem.ts';
import type { Accept, ClientSocket, ClientSocketListener, UpgradeRequest } from './client-socket.ts';
import { agreedProtocol, assertHandshake, assertOrigin, offeredProtocols } from './handshake.ts';
import { responseInstead } from './unupgraded.ts';
import { WebSocketCall, type WebSocketOutcome } from './websocket-call.ts';
import type { ResolvedWebSocketOptions } from './websocket-options.ts';

/**
 * Time for which an upgrade waits for a place at a running replica, in ms: requests usually end within this time, other connections
 * do not.
 */
const QUEUE_MS = 1_000;
/** The most bytes that a client may send before it is answered. */
const MAX_EARLY_BYTES = 65_536;

/** The options for the upgrades of one app. */
export interface UpgradeRules {
  readonly middleware: ResolvedMiddlewareOptions;
  readonly webSocket: ResolvedWebSocketOptions;
  /** Returns the function that accepts connections. Loads the library at its first call. */
  accept(): Promise<Accept>;
}

/** A connection with an app, from the upgrade to its end. */
export class Upgrade implements WebSocketOutcome, ClientSocketListener {
  readonly #upgrade: UpgradeRequest;
  readonly #target: HttpTarget;
  readonly #rules: UpgradeRules;
  readonly #viewOf: () => HostContext;
  readonly #requestId: string;
  readonly #call: WebSocketCall;
  readonly #window = new StreamWindow();
  readonly #early: Buffer[] = [];
  #earlyBytes = 0;
  #accept: Accept | undefined = undefined;
  #client: ClientSocket | undefined = undefined;
  #patience: NodeJS.Timeout | undefined = undefined;
  /** Whether the app was told that the client is closing. */
  #isLeaving = false;
  #isOver = false;

  /** @param viewOf returns the host app's view of the client; it may throw */
  constructor(upgrade: UpgradeRequest, target: HttpTarget, rules: UpgradeRules, viewOf: () => HostContext) {
    this.#viewOf = viewOf;
    this.#upgrade = upgrade;
    this.#target = target;
    this.#rules = rules;
    this.#requestId = givenRequestId(upgrade.req) ?? target.nextRequestId();
    this.#call = new WebSocketCall(target.route, this);
  }

  /** Sends the connection to a replica. The client is answered only when a replica has accepted it. */
  async start(): Promise<void> {
    const call = this.#call;
    const { req } = this.#upgrade;
    const { route, prefix, routes } = this.#target;
    const { middleware, webSocket } = this.#rules;
    route.begin(call, deadlineOf(call, { req }, middleware));
    this.#watchClient();
    try {
      assertHandshake(req);
      const view = this.#viewOf();
      assertOrigin(req, webSocket.origins, view.host);
      if (!(await webSocket.authorize(req)))
        throw new ServeError('SERVE_UNAUTHORIZED', 'authorize(req) refused the connection');
      this.#accept = await this.#rules.accept();
      if (call.isSettled) return;
      const { url: target = '/' } = req;
      const url = absoluteUrl(target, target, req, view, prefix);
      if (url instanceof ServeError) throw url;
      // Upgrades do not pass through the framework, so hooks get Node's own request.
      const host = { req, url: target, originalUrl: target, context: req as HostContext, client: view };
      describeCall(call, host, prefix, this.#requestId, middleware, routes);
      const envelope = packRequest(req.method ?? 'GET', url, requestHeaders(req), undefined);
      const protocol = agreedProtocol(offeredProtocols(req), webSocket.protocols) ?? '';
      const how: SocketEnvelope = [protocol, webSocket.bufferLimit];
      call.args = [envelope, how];
      route.dispatch(call);
      if (call.isQueued) this.#waitForPlace();
    } catch (error) {
      call.reject(error);
    }
  }

  opened(): void {
    const { req, socket, head } = this.#upgrade;
    this.#unwatchClient();
    const whole = this.#early.length === 0 ? head : Buffer.concat([head, ...this.#early]);
    this.#client = this.#accept?.({ req, socket, head: whole }, this.#requestId, this);
    if (this.#client !== undefined) return;
    this.#finish();
    this.#call.cancel(new Error('the handshake failed'));
  }

  frame(frame: SocketFrame): void {
    if (typeof frame === 'string' || frame instanceof Uint8Array) {
      this.#count('out', Buffer.byteLength(frame));
      this.#client?.send(frame);
      return;
    }
    const [code, reason, wasClean] = frame;
    if (wasClean) {
      this.#client?.close(code, reason);
    } else {
      this.#log(`the connection was cut${reason === '' ? '' : `: ${reason}`}`);
      this.#client?.destroy();
    }
  }

  credited(chunks: number): void {
    this.#window.credited(chunks);
    if (this.#window.hasRoom) this.#client?.resume();
  }

  ended(): void {
    this.#finish();
    this.#client?.close(1000, '');
  }

  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#finish();
    const { req, socket } = this.#upgrade;
    const problem = toProblem(error);
    const isGone = this.#client === undefined && socket.destroyed;
    if (problem.isUnexpected && !isGone) {
      const { app, deployment } = this.#target.route;
      const place = { app, deployment, replica: this.#call.endpoint?.replicaId };
      const about = { requestId: this.#requestId, ...place, method: req.method, url: req.url, err: error };
      this.#target.log.error(about, 'WebSocket failed');
    }
    if (this.#client !== undefined) {
      this.#client.close(closeCode(error), '');
    } else if (isGone) {
      this.#log('the client disconnected before its WebSocket was open');
    } else {
      sendProblem(responseInstead(req, socket), problem, this.#requestId);
    }
  }

  message(data: string | Uint8Array<ArrayBuffer>, bytes: number): void {
    const isLarge = typeof data !== 'string' && bytes >= LARGE_BYTES;
    this.#window.sent(bytes);
    this.#count('in', bytes);
    this.#call.upload(data, {
      marks: undefined,
      transfer: isLarge ? [data.buffer] : undefined,
      bytes,
    });
    if (!this.#window.hasRoom) this.#client?.pause();
  }

  flushed(messages: number): void {
    this.#call.endpoint?.channel.credit(this.#call, messages);
  }

  leaving(how: CloseEnvelope): void {
    this.#isLeaving = true;
    this.#call.upload(how, NO_ENCODING);
  }

  closed(how: CloseEnvelope): void {
    const channel = this.#call.endpoint?.channel;
    if (!this.#isLeaving) channel?.upload(this.#call, how, NO_ENCODING);
    channel?.endUpload(this.#call);
    this.#log(`closed with ${how[0]}`);
  }

  #count(direction: Direction, bytes: number): void {
    const { counters } = this.#call.route;
    counters.add(`websocket_messages_${direction}`);
    counters.add(`websocket_bytes_${direction}`, bytes);
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#patience);
    if (this.#client === undefined) this.#unwatchClient();
  }

  /** Refuses the connection if no request has made room for it in time, so that the client tries again later. */
  #waitForPlace(): void {
    this.#patience = setTimeout(() => {
      const { route } = this.#target;
      if (!this.#call.isQueued) return;
      if (route.endpoints.length === 0) {
        this.#waitForPlace();
        return;
      }
      const { app, deployment } = route;
      const { statusCode, retryAfterMs } = route.config.backpressure;
      const error = new ServeError(
        'SERVE_BACKPRESSURE',
        `${deployment}: no replica has room for a connection`,
        {
          app,
          deployment,
          statusCode,
          retryAfterMs: retryAfterMs === 'auto' ? QUEUE_MS : retryAfterMs,
        },
      );
      this.#call.turnAway(error);
    }, QUEUE_MS);
  }

  /** Reads the socket, because a socket that is not read does not notice that the other side has left. */
  #watchClient(): void {
    const { socket } = this.#upgrade;
    socket.on('error', ignore);
    socket.on('data', this.#onEarly);
    socket.on('end', this.#onGone);
    socket.on('close', this.#onGone);
  }

  #unwatchClient(): void {
    const { socket } = this.#upgrade;
    socket.off('data', this.#onEarly);
    socket.off('end', this.#onGone);
    socket.off('close', this.#onGone);
  }

  readonly #onGone = (): void => {
    this.#upgrade.socket.destroy();
    this.#call.cancel(new Error('the client disconnected'));
  };

  readonly #onEarly = (chunk: Buffer): void => {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.byteLength;
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#onGone();
  };

  #log(what: string): void {
    const { url } = this.#upgrade.req;
    this.#target.log.debug({ requestId: this.#requestId, url }, `WebSocket: ${what}`);
  }
}

function ignore(): void {}

/** The close code for an error: 1012 to reconnect elsewhere, 1013 to try again later, 1011 for an internal error. */
function closeCode(error: unknown): number {
  if (!(error instanceof ServeError)) return 1011;
  if (error.code === 'SERVE_UNAVAILABLE') return 1012;
  return error.code === 'SERVE_BACKPRESSURE' ? 1013 : 1011;
}
