import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ChaosDirection } from './chaos-direction.ts';
import { type ChaosProxyOptions, type ChaosSettings, parseProxyOptions } from './chaos-options.ts';
import { ChaosPipe } from './chaos-pipe.ts';
import { seededRandom } from './random.ts';

const LOOPBACK = '127.0.0.1';

/** A connection through the proxy. */
interface Connection {
  destroy(): void;
  break(): void;
}

/**
 * A TCP proxy that delays, slows down, splits, stalls, half-closes or resets connections, as networks do. Created by
 * `chaosProxy()`.
 */
export class ChaosProxy implements AsyncDisposable {
  /** From clients to the target. */
  readonly toTarget: ChaosDirection;
  /** From the target to clients. */
  readonly toClient: ChaosDirection;
  readonly #options: ChaosProxyOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #refuses = false;

  constructor(options: ChaosProxyOptions) {
    this.#options = parseProxyOptions(options);
    const { seed = 1 } = this.#options;
    this.toTarget = new ChaosDirection(seededRandom(seed));
    this.toClient = new ChaosDirection(seededRandom(seed + 1));
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** The address that clients connect to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return this.#options.host ?? LOOPBACK;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Starts to listen. @throws errors of `net.Server.listen()`, such as `EADDRINUSE` */
  async listen(): Promise<this> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.#options.port ?? 0, this.host, resolve);
    await promise;
    this.#server.off('error', reject);
    return this;
  }

  /** Sets both directions. @throws ServeError `SERVE_INVALID_OPTION` */
  set(settings: ChaosSettings): void {
    this.toTarget.set(settings);
    this.toClient.set(settings);
  }

  /** Resets all settings, and `refuse()`; held-back bytes are delivered. */
  heal(): void {
    this.#refuses = false;
    this.set({});
  }

  /** Resets all open connections (RST). */
  reset(): void {
    for (const connection of this.#connections) connection.break();
  }

  /** Resets new connections until `heal()`; open connections stay. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Ends all connections and stops listening. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const connection of this.#connections) connection.destroy();
    await promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const { targetHost: host = LOOPBACK, targetPort: port } = this.#options;
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const sockets = [client, target];
    const connection: Connection = {
      destroy: () => {
        for (const socket of sockets) socket.destroy();
      },
      break: () => {
        for (const socket of sockets) breakOff(socket);
      },
    };
    const pipes = [
      new ChaosPipe(client, target, this.toTarget, connection.break),
      new ChaosPipe(target, client, this.toClient, connection.break),
    ];
    this.#connections.add(connection);
    for (const socket of sockets) {
      socket.once('close', () => {
        if (!sockets.every(({ destroyed }) => destroyed)) return;
        for (const pipe of pipes) pipe.close();
        this.#connections.delete(connection);
      });
    }
  }
}

function breakOff(socket: Socket): void {
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}

/**
 * Starts a proxy in front of a server: peers of a fleet, Redis, a database.
 *
 * @example
 * await using proxy = await chaosProxy({ targetPort: 6379, seed: 7 });
 * proxy.set({ latencyMs: 200, jitterMs: 50 });
 * proxy.toClient.set({ stall: true });
 *
 * @throws ServeError `SERVE_INVALID_OPTION`, or an error of `net.Server.listen()`
 */
export function chaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  return new ChaosProxy(options).listen();
}
