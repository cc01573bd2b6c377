import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';

/** The server of an app: a server of `node:http` or `node:https`, as `app.listen()` returns it. */
export type UpgradableServer = HttpServer | HttpsServer;

/** Returns whether a listener wants to handle an upgrade. */
type Claim = (req: IncomingMessage) => boolean;

/** Node's hook that decides whether a request becomes an `upgrade` event; missing in Node 22.18 to 22.20 and 24.0 to 24.8. */
type ShouldUpgrade = (this: object, req: IncomingMessage) => boolean;

/** Node's parser of one connection. */
interface RequestParser {
  onIncoming: ((req: IncomingMessage, isKept: boolean) => number) | null;
}

/** Node's list of open connections, from which the gate takes their parsers in those versions of Node. */
interface ConnectionsList {
  all(): RequestParser[];
}

const gates = new WeakMap<UpgradableServer, UpgradeGate>();

/**
 * Restricts upgrades to those that a listener claims. With a listener for upgrades Node treats every request with an `Upgrade`
 * header as an upgrade and drops its body, also for Java's HttpClient and `curl --http2`, which only offer `h2c`. Requests
 * that no listener claims are handled as if there were no listener.
 *
 * @param listener the listener for upgrades that makes the claim
 * @returns a function that removes the claim
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

  /** @returns a function that undoes it */
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
    // The default of Node is to check whether there are listeners.
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

  /** For versions of Node without the hook, which treat a request as an upgrade whenever there are listeners. */
  #closeByParsers(): () => void {
    const server = this.#server;
    const onConnection = (socket: { readonly parser?: RequestParser | null }): void => {
      if (socket.parser) this.#wrap(socket.parser);
    };
    for (const parser of parsersOf(server)) this.#wrap(parser);
    // Added after Node's own listeners, which give the socket its parser.
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

  /** The number of listeners of the host, which still get every upgrade. */
  get #others(): number {
    return this.#server.listeners('upgrade').filter((listener) => !this.#claims.has(listener)).length;
  }
}

/** The parsers of the connections that are already open. */
function parsersOf(server: UpgradableServer): RequestParser[] {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  );
  return symbol === undefined ? [] : (Reflect.get(server, symbol) as ConnectionsList).all();
}
