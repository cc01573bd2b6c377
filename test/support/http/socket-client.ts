import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';

export interface ClientClose {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket client that keeps what it hears. */
export class SocketClient implements Disposable {
  readonly ws: WebSocket;
  /** How it was closed. */
  readonly closed: Promise<ClientClose>;
  readonly #messages: (string | Buffer)[] = [];
  #onMessage: () => void = () => {};

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data, isBinary) => {
      this.#messages.push(isBinary ? (data as Buffer) : data.toString());
      this.#onMessage();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#onMessage();
      });
    });
    // `close` follows.
    ws.on('error', () => {});
  }

  /** @throws the error of a refused handshake */
  static async connect(
    port: number,
    path: string,
    options: ClientOptions & { protocols?: string[] } = {},
  ): Promise<SocketClient> {
    const { protocols = [], ...rest } = options;
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, rest);
    const client = new SocketClient(ws);
    await once(ws, 'open');
    return client;
  }

  send(data: string | Uint8Array): this {
    this.ws.send(data);
    return this;
  }

  /** The next message. Rejects when none comes any more. */
  async next(): Promise<string | Buffer> {
    while (this.#messages.length === 0) {
      if (this.ws.readyState === WebSocket.CLOSED) throw new Error('closed, and no message is left');
      await new Promise<void>((resolve) => {
        this.#onMessage = resolve;
      });
    }
    return this.#messages.shift() as string | Buffer;
  }

  async take(count: number): Promise<(string | Buffer)[]> {
    const taken: (string | Buffer)[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  [Symbol.dispose](): void {
    this.ws.terminate();
  }
}

/** What a handshake that is refused is answered. */
export function refusal(
  port: number,
  path: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  const { protocols = [], ...rest } = options;
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, rest);
  return new Promise((resolve, reject) => {
    ws.on('open', () => {
      ws.terminate();
      reject(new Error('it was let in'));
    });
    ws.on('error', reject);
    ws.on('unexpected-response', (_request, response) => {
      response.toArray().then((chunks) => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks as Buffer[]).toString() });
      }, reject);
    });
  });
}
