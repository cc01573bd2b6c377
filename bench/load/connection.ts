import { connect, type Socket } from 'node:net';
import { ChunkedBody } from './chunked-body.ts';
import type { Target } from './load.ts';

/** More than the head of any answer; of a large one not more is made text. */
const HEAD_LIMIT = 2_048;
const HEAD_END = '\r\n\r\n';

export interface ConnectionEvents {
  answered(connection: Connection): void;
  /** Answered with another status than 200. Absent: that is a failure. */
  refused?(connection: Connection): void;
  failed(error: Error): void;
}

/** A target, and the bytes of a request for it. */
export interface EncodedTarget {
  readonly target: Target;
  readonly request: Buffer;
}

/**
 * One keep-alive connection that sends the same requests again and again, in turn. It reads no more of an answer than it takes to know
 * that it is whole and right: a general HTTP client (autocannon: 17.5 µs per request against 10.3) would take the CPU
 * from what is measured, where there are few cores.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #targets: readonly [EncodedTarget, ...EncodedTarget[]];
  readonly #events: ConnectionEvents;
  /** Index of the next request. */
  #next: number;
  #target: Target;
  #isRefusal = false;
  /** Bytes of the answer, head included, once the head is there. */
  #expected = 0;
  #received = 0;
  #head = '';
  /** The body of a chunked answer. */
  #chunked: ChunkedBody | undefined = undefined;
  isIdle = true;
  sentAt = 0;
  /** When the first byte of the last body came; 0 = none has. */
  firstAt = 0;
  /** Bytes of all bodies that came in chunks, without their framing. */
  chunkedBytes = 0;

  /** @param first index of the target that it begins with */
  constructor(
    targets: readonly [EncodedTarget, ...EncodedTarget[]],
    first: number,
    events: ConnectionEvents,
  ) {
    this.#targets = targets;
    this.#next = first % targets.length;
    this.#target = targets[0].target;
    this.#events = events;
    this.#socket = connect({ port: this.#target.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (data: Buffer) => this.#receive(data));
    this.#socket.on('error', (error) => events.failed(error));
    this.#socket.on('close', () => events.failed(new Error('the server closed a connection')));
  }

  send(): void {
    const { target, request } = this.#targets[this.#next] ?? this.#targets[0];
    this.#next = (this.#next + 1) % this.#targets.length;
    this.#target = target;
    this.isIdle = false;
    this.firstAt = 0;
    this.sentAt = performance.now();
    this.#socket.write(request);
  }

  end(): void {
    this.#socket
      .removeAllListeners('close')
      .removeAllListeners('error')
      .on('error', () => {});
    this.#socket.destroy();
  }

  #receive(data: Buffer): void {
    let body = data;
    if (this.#expected === 0 && this.#chunked === undefined) {
      const rest = this.#readHead(data);
      if (rest === undefined) return;
      body = rest;
    }
    if (body.length > 0 && this.firstAt === 0) this.firstAt = performance.now();
    if (this.#chunked !== undefined) {
      const before = this.#chunked.bytes;
      const isWhole = this.#chunked.read(body);
      this.chunkedBytes += this.#chunked.bytes - before;
      if (!isWhole) return;
      if (!this.#isRefusal && this.#chunked.bytes !== this.#target.answerBytes)
        this.#fail(`${this.#chunked.bytes} bytes, not ${this.#target.answerBytes}`);
    } else {
      this.#received += body.length;
      if (this.#received < this.#expected) return;
      if (this.#received > this.#expected) this.#fail('longer than it says');
    }
    this.#chunked = undefined;
    this.#expected = 0;
    this.#received = 0;
    this.isIdle = true;
    if (this.#isRefusal) this.#events.refused?.(this);
    else this.#events.answered(this);
  }

  /** The head may come in parts. @returns what came of the body; undefined if the head is not whole yet */
  #readHead(data: Buffer): Buffer | undefined {
    const before = this.#head.length;
    this.#head += data.toString('latin1', 0, HEAD_LIMIT);
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) return undefined;
    const rest = data.subarray(end + HEAD_END.length - before);
    this.#isRefusal = !this.#head.startsWith('HTTP/1.1 200 ');
    if (this.#isRefusal && this.#events.refused === undefined) this.#fail(this.#head.slice(0, 400));
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(this.#head) ?? [];
    if (length === undefined) this.#chunked = new ChunkedBody();
    else if (this.#isRefusal || Number(length) === this.#target.answerBytes) {
      this.#received = end + HEAD_END.length;
      this.#expected = this.#received + Number(length);
    } else this.#fail(`${length} bytes, not ${this.#target.answerBytes}`);
    this.#head = '';
    return rest;
  }

  #fail(what: string): void {
    this.#events.failed(new Error(`${this.#target.path}: wrong answer: ${what}`));
  }
}

/** Makes the bytes of the request, once for all connections. */
export function encode(target: Target): EncodedTarget {
  const { method, path, port, bodyBytes } = target;
  const head = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, 'accept: */*'];
  if (bodyBytes > 0) head.push('content-type: application/octet-stream', `content-length: ${bodyBytes}`);
  const request = Buffer.concat([Buffer.from(head.join('\r\n') + HEAD_END), Buffer.alloc(bodyBytes, 'b')]);
  return { target, request };
}
