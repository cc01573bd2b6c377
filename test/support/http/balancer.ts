import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How often a backend is asked whether it is ready, in ms. */
const PROBE_MS = 25;

/**
 * A load balancer of connections, as the service of a cluster is one: a connection stays with the backend that it got, and new
 * ones go to the backends that say at `/readyz` that they are.
 */
export class Balancer implements AsyncDisposable {
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#forward(client));
  readonly #backends = new Map<number, boolean>();
  readonly #sockets = new Set<Socket>();
  readonly #probing: NodeJS.Timeout;
  #turn = 0;

  private constructor() {
    this.#probing = setInterval(() => {
      for (const port of this.#backends.keys()) void this.#probe(port);
    }, PROBE_MS);
  }

  static async start(): Promise<Balancer> {
    const balancer = new Balancer();
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async add(port: number): Promise<void> {
    this.#backends.set(port, false);
    await this.#probe(port);
  }

  remove(port: number): void {
    this.#backends.delete(port);
  }

  isReady(port: number): boolean {
    return this.#backends.get(port) ?? false;
  }

  async #probe(port: number): Promise<void> {
    let isReady = false;
    try {
      isReady = (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    } catch {}
    if (this.#backends.has(port)) this.#backends.set(port, isReady);
  }

  #forward(client: Socket): void {
    const ready = [...this.#backends].filter(([, isReady]) => isReady).map(([port]) => port);
    const port = ready[this.#turn++ % ready.length];
    if (port === undefined) {
      client.destroy();
      return;
    }
    const backend = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => this.#sockets.delete(from));
      from.pipe(to);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#probing);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
