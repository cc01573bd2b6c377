import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { invalidOption, ServeError } from '../../errors.ts';
import { parseOptions } from '../../validation/fields.ts';
import type { HostContext } from '../exchange.ts';
import { inspectServer } from '../host-server.ts';
import type { HttpTarget } from '../http.ts';
import type { ResolvedMiddlewareOptions } from '../middleware-options.ts';
import { sendProblem, toProblem } from '../response/problem.ts';
import { createAccept, type UpgradeRequest } from './client-socket.ts';
import { isWebSocket } from './handshake.ts';
import { hostView } from './host-view.ts';
import { responseInstead } from './unupgraded.ts';
import { Upgrade, type UpgradeRules } from './upgrade.ts';
import { claimUpgrades, type UpgradableServer } from './upgrade-gate.ts';
import { resolveWebSocketOptions, WEBSOCKET_FIELDS, type WebSocketOptions } from './websocket-options.ts';

/** The app that a path belongs to. */
export interface UpgradeDestination {
  /** The target of the upgrade; undefined if the app is no longer served. */
  readonly target: HttpTarget | undefined;
  readonly options: ResolvedMiddlewareOptions;
  /** Whether its ingress has `websocket(socket, request)`. */
  readonly takesWebSockets: boolean;
}

export interface UpgradeDestinations {
  findUpgrade(url: string): UpgradeDestination | undefined;
  nextRequestId(): string;
}

type Listener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** The listeners of all instances. An instance leaves upgrades for unknown apps to the others. */
const listeners = new WeakSet<Function>();
/** The requests that one of these listeners has handled. */
const taken = new WeakSet<IncomingMessage>();

/** Listens to the upgrades of a server. @returns a function that stops listening */
export function attachUpgrades(
  server: UpgradableServer,
  destinations: UpgradeDestinations,
  given: WebSocketOptions,
): () => void {
  const allowed = 'the server that app.listen() or http.createServer() returns';
  // An Express app also has `on` and `listen`.
  if (typeof server?.on !== 'function' || typeof server.address !== 'function')
    throw invalidOption('attachWebSocket(server)', server, allowed);
  const options = parseOptions<WebSocketOptions>(given, WEBSOCKET_FIELDS, 'attachWebSocket');
  const upgrades = new Upgrades(server, destinations, options);
  const release = claimUpgrades(server, upgrades.listener, upgrades.claims);
  server.on('upgrade', upgrades.listener);
  return () => {
    server.off('upgrade', upgrades.listener);
    release();
  };
}

/** Handles the upgrades of one server that are for apps of one instance. */
class Upgrades {
  readonly #server: UpgradableServer;
  readonly #destinations: UpgradeDestinations;
  readonly #options: WebSocketOptions;
  readonly #rules = new WeakMap<ResolvedMiddlewareOptions, UpgradeRules>();

  constructor(server: UpgradableServer, destinations: UpgradeDestinations, options: WebSocketOptions) {
    this.#server = server;
    this.#destinations = destinations;
    this.#options = options;
    listeners.add(this.listener);
  }

  /** Whether an upgrade is for an app of the instance. */
  readonly claims = (req: IncomingMessage): boolean => this.#find(req) !== undefined;

  #find(req: IncomingMessage): UpgradeDestination | undefined {
    return isWebSocket(req) ? this.#destinations.findUpgrade(req.url ?? '/') : undefined;
  }

  readonly listener: Listener = (req, socket, head) => {
    if (taken.has(req)) return;
    const upgrade = { req, socket, head };
    const found = this.#find(req);
    if (found === undefined) {
      if (this.#isLast()) answerAsIfUnasked(this.#server, upgrade);
    } else if (found.takesWebSockets && found.target !== undefined) {
      taken.add(req);
      inspectServer(this.#server, found.target.log);
      const viewOf = (): HostContext => hostView(this.#server.listeners('request'), req);
      void new Upgrade(upgrade, found.target, this.#rulesOf(found.options), viewOf).start();
    } else if (this.#isLast()) {
      const error = found.takesWebSockets
        ? new ServeError('SERVE_UNAVAILABLE', 'the app is no longer served')
        : new ServeError('SERVE_NOT_FOUND', 'this app has no websocket(socket, request)');
      sendProblem(responseInstead(req, socket), toProblem(error), this.#destinations.nextRequestId());
    }
  };

  /** Whether this is the last listener, and all listeners belong to instances. */
  #isLast(): boolean {
    const all = this.#server.listeners('upgrade');
    return all.at(-1) === this.listener && all.every((listener) => listeners.has(listener));
  }

  #rulesOf(middleware: ResolvedMiddlewareOptions): UpgradeRules {
    const known = this.#rules.get(middleware);
    if (known !== undefined) return known;
    const webSocket = resolveWebSocketOptions(middleware.webSocket, this.#options);
    let accepting: ReturnType<typeof createAccept> | undefined;
    const rules: UpgradeRules = {
      middleware,
      webSocket,
      accept: () => {
        accepting ??= createAccept(webSocket);
        return accepting;
      },
    };
    this.#rules.set(middleware, rules);
    return rules;
  }
}

/** Lets the routes of the server answer an upgrade that only its own `shouldUpgradeCallback` has let through. */
function answerAsIfUnasked(server: UpgradableServer, { req, socket }: UpgradeRequest): void {
  server.emit('request', req, responseInstead(req, socket));
}
