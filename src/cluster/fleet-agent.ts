import { ServeError } from '../errors.ts';
import { namesOf, type RouteKey } from '../handle/routing/directory.ts';
import { Router } from '../handle/routing/router.ts';
import { threadConnector } from '../handle/routing/thread-link.ts';
import { unpackEvent } from '../replica/packed-event.ts';
import { time } from '../time/clock.ts';
import type { Introduction, Session } from '../wire/handshake.ts';
import { type LinkSocket, MAX_PAYLOAD_BYTES } from '../wire/link.ts';
import { type LinkListener, listenForLinks } from '../wire/listener.ts';
import { LinkSecurity } from '../wire/security.ts';
import type { FleetInit, FromFleet, ToFleet } from './fleet-control.ts';

/** The period at which counted calls are shipped to the host, in ms. */
const STATS_MS = 1_000;

/**
 * The fleet thread's work: it accepts the links of peers, and calls the replicas of this instance for them. To the replicas
 * it is a caller thread like any other, so that their limits hold over the callers of all instances.
 */
export class FleetAgent {
  readonly #init: FleetInit;
  readonly #security: LinkSecurity;
  readonly #self: Introduction;
  readonly #router: Router;
  #listener: LinkListener | undefined = undefined;

  constructor(init: FleetInit) {
    this.#init = init;
    const { instanceId, callerIndex, epoch, options, control } = init;
    const { name, secrets, tls, trustNetwork, maxPayload = MAX_PAYLOAD_BYTES } = options;
    this.#security = new LinkSecurity({
      fleet: name,
      secrets,
      ...(tls !== undefined && { tls }),
      ...(trustNetwork !== undefined && { trustNetwork }),
    });
    this.#self = { instance: instanceId, epoch, maxPayload };
    this.#router = new Router(
      { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      {
        subscribe: (key) => this.#post({ type: 'subscribe', key }),
        lost: (replicaId, calls) => this.#post({ type: 'lost', replicaId, calls }),
        // Only inline replicas are replaced, and this thread has none.
        replaced() {},
      },
      {
        connectors: { thread: threadConnector },
        // The calls of this thread are answered to peers.
        onUnobserved() {},
      },
    );
    control.on('message', (message: ToFleet) => this.#receive(message));
    time.every(STATS_MS, () => this.#shipStats()).unref();
  }

  /** Starts to listen. @throws the error of the server, such as EADDRINUSE */
  async start(): Promise<void> {
    const { host, port } = this.#init.options.listen;
    this.#listener = await listenForLinks({
      host,
      port,
      security: this.#security,
      self: this.#self,
      onLink: (session, socket) => this.#accept(session, socket),
    });
    this.#post({ type: 'listening', port: this.#listener.port });
  }

  #receive(message: ToFleet): void {
    switch (message.type) {
      case 'directory':
        this.#router.apply(unpackEvent(message));
        return;
      case 'serve':
        this.#serve(message.key);
        return;
      case 'withdraw':
        return;
      case 'peers':
        return;
      case 'close':
        void this.#close();
        return;
    }
  }

  #accept(_session: Session, _socket: LinkSocket): void {}

  #serve(key: RouteKey): void {
    const [app, deployment] = namesOf(key);
    this.#router.route(app, deployment, key);
  }

  /** Closes all that keeps the thread alive: it ends by itself then. */
  async #close(): Promise<void> {
    this.#shipStats();
    this.#router.close(new ServeError('SERVE_UNAVAILABLE', 'the instance is closed'));
    await this.#listener?.close();
    this.#init.control.close();
  }

  #shipStats(): void {
    const calls = this.#router.takeStats();
    if (calls.length > 0) this.#post({ type: 'stats', calls });
  }

  #post(message: FromFleet): void {
    this.#init.control.postMessage(message);
  }
}
