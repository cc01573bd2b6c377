import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';

/** The server of an app: of `node:http` or `node:https`, as `app.listen()` answers it. */
export type UpgradableServer = HttpServer | HttpsServer;

/** Whether an upgrade of a server is for one of its listeners. */
type Claim = (req: IncomingMessage) => boolean;

/** Node's own decision whether a request becomes an `upgrade` event. Node 22.18 to 22.20 and 24.0 to 24.8 have no such hook. */
type ShouldUpgrade = (this: object, req: IncomingMessage) => boolean;

/** Node's parser of one connection. */
interface RequestParser {
  onIncoming: ((req: IncomingMessage, isKept: boolean) => number) | null;
}

/** What keeps the parsers of all connections in those versions of Node. */
interface ConnectionsList {
  all(): RequestParser[];
}

const gates = new WeakMap<UpgradableServer, UpgradeGate>();

/**
 * With a listener for upgrades Node takes every request with an `Upgrade` header out of HTTP, and its body is lost: that of
 * Java's HttpClient and `curl --http2`, which ask for `h2c`. So only upgrades that somebody wants are upgrades; all other
 * requests go the way that they go without us.
 *
 * @param listener the one for upgrades that has the claim
 * @returns takes the claim away
 */
export function claimUpgrades(server: UpgradableServer, listener: Function, claim: Claim): () => void {
  const gate = gates.get(server) ?? new UpgradeGate(server);
  gates.set(server, gate);
  return gate.add(listener, claim);
}

class UpgradeGate {
  readonly #server: UpgradableServer;
  readonly #claims = new Map<Function, Claim>();
  #open: (() => void) | undefined = undefined;

  constructor(server: UpgradableServer) {
    this.#server = server;
  }

  add(listener: Function, claim: Claim): () => void {
    this.#claims.set(listener, claim);
    this.#open ??= this.#close();
    return () => {
      this.#claims.delete(listener);
      if (this.#claims.size > 0) return;
      this.#open?.();
      this.#open = undefined;
    };
  }

  /** @returns undoes it */
  #close(): () => void {
    return typeof this.#shouldUpgrade === 'function'
      ? this.#closeByHook(this.#shouldUpgrade)
      : this.#closeByParsers();
  }

  get #shouldUpgrade(): ShouldUpgrade | undefined {
    return Reflect.get(this.#server, 'shouldUpgradeCallback') as ShouldUpgrade | undefined;
  }

  #closeByHook(given: ShouldUpgrade): () => void {
    const server = this.#server;
    // Node's own default counts the listeners.
    const withoutUs: object = Object.create(server, {
      listenerCount: {
        value: (event: string) => (event === 'upgrade' ? this.#others : server.listenerCount(event)),
      },
    });
    const ours: ShouldUpgrade = (req) => this.#isClaimed(req) || given.call(withoutUs, req);
    Reflect.set(server, 'shouldUpgradeCallback', ours);
    return () => {
      if (this.#shouldUpgrade === ours) Reflect.set(server, 'shouldUpgradeCallback', given);
    };
  }

  /** Those versions of Node decide by the listeners alone, for what their parser takes for an upgrade. */
  #closeByParsers(): () => void {
    const server = this.#server;
    const onConnection = (socket: { readonly parser?: RequestParser | null }): void => {
      if (socket.parser) this.#wrap(socket.parser);
    };
    for (const parser of parsersOf(server)) this.#wrap(parser);
    // Behind Node's own listeners, which give the socket its parser.
    server.on('connection', onConnection);
    server.on('secureConnection', onConnection);
    return () => {
      server.off('connection', onConnection);
      server.off('secureConnection', onConnection);
    };
  }

  #wrap(parser: RequestParser): void {
    const { onIncoming } = parser;
    if (onIncoming === null) return;
    parser.onIncoming = (req, isKept) => {
      const told = req as { upgrade?: unknown };
      if (told.upgrade === true && req.method !== 'CONNECT' && this.#others === 0 && !this.#isClaimed(req))
        told.upgrade = false;
      return onIncoming(req, isKept);
    };
  }

  #isClaimed(req: IncomingMessage): boolean {
    for (const claim of this.#claims.values()) if (claim(req)) return true;
    return false;
  }

  /** Listeners that are not ours: they get what they get without us. */
  get #others(): number {
    return this.#server.listeners('upgrade').filter((listener) => !this.#claims.has(listener)).length;
  }
}

/** Of the connections that are open already. */
function parsersOf(server: UpgradableServer): RequestParser[] {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  );
  return symbol === undefined ? [] : (Reflect.get(server, symbol) as ConnectionsList).all();
}
