import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface SendOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array | string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
}

/** One request on a connection of its own. Rejects when the answer breaks off. */
export async function send(port: number, path: string, options: SendOptions = {}): Promise<Answer> {
  const response = await open(port, path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const { statusCode = 0, headers, rawHeaders } = response;
  return { status: statusCode, headers, rawHeaders, body, text: body.toString() };
}

/** Resolves with the head of the answer; its body is still to be read. */
export function open(port: number, path: string, options: SendOptions = {}): Promise<IncomingMessage> {
  return answerTo(start(port, path, options));
}

/** A request on its way: its body is written, its answer not awaited. */
export function start(port: number, path: string, options: SendOptions = {}): ClientRequest {
  const { method = 'GET', headers, body } = options;
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    agent: false,
    headers: { ...(headers as Record<string, string>) },
  });
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) sent.end(body);
  else void pour(body, sent);
  return sent;
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('error', reject);
  });
}

async function pour(body: AsyncIterable<Uint8Array | string>, sent: ClientRequest): Promise<void> {
  const closed = new Promise((resolve) => sent.once('close', resolve));
  for await (const chunk of body) {
    if (sent.destroyed) return;
    if (!sent.write(chunk))
      await Promise.race([closed, new Promise((resolve) => sent.once('drain', resolve))]);
  }
  sent.end();
}

export function json(answer: Answer): unknown {
  return JSON.parse(answer.text);
}

/** A socket, for what a well-behaved client cannot say. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  #received = '';
  #onData: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      this.#onData();
    });
    // A reset is one way to be closed.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed.resolve();
      this.#onData();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  /** One head; its lines end with CRLF. */
  head(...lines: string[]): this {
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    return this;
  }

  write(data: string | Uint8Array): this {
    this.socket.write(data);
    return this;
  }

  get received(): string {
    return this.#received;
  }

  /** What came so far, as soon as it matches. Rejects when the connection ends before. */
  until(pattern: RegExp | string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found =
          typeof pattern === 'string' ? this.#received.includes(pattern) : pattern.test(this.#received);
        if (found) resolve(this.#received);
        else if (this.socket.closed) reject(new Error(`closed after: ${this.#received}`));
      };
      this.#onData = look;
      look();
    });
  }

  /** Everything, once the server has closed the connection. */
  async closed(): Promise<string> {
    await this.#closed.promise;
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
