import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { turn } from '../../test/support/link.ts';
import { LargePayloads } from './large-payloads.ts';
import { createUpgrade } from './websocket-link.ts';
import { WireError } from './wire-error.ts';

const MIB = 1_048_576;
const FIN = 0x80;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const NO_MASK = [0, 0, 0, 0];

const upgrade = await createUpgrade();
const sockets: Duplex[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** The listening end of a WebSocket whose bytes a test sends. */
class Listening {
  readonly messages: Buffer[] = [];
  readonly written: Buffer[] = [];
  /** Memory of the reads, whose owner is the link alone. */
  readonly reads: ArrayBuffer[] = [];
  ended: { readonly error: Error | undefined } | undefined = undefined;
  readonly socket: Duplex;

  /** @param prepare is called with the socket before it is upgraded */
  constructor(prepare: (socket: Duplex) => void = () => {}) {
    this.socket = new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        this.written.push(Buffer.from(bytes));
        done();
      },
    });
    sockets.push(this.socket);
    prepare(this.socket);
    const headers = {
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'inserve',
    };
    const request = { method: 'GET', headers } as unknown as IncomingMessage;
    upgrade(request, this.socket, Buffer.alloc(0), (link) =>
      link.listen({
        message: (pieces) => this.messages.push(Buffer.concat(pieces)),
        closed: (error) => {
          this.ended = { error };
        },
      }),
    );
    this.written.length = 0;
  }

  /** The bytes arrive as the kernel hands them over: each read has memory of its own. */
  arrive(bytes: Uint8Array): void {
    const read = Buffer.from(new Uint8Array(bytes).buffer);
    this.reads.push(read.buffer);
    this.socket.push(read);
  }

  async endedWith(): Promise<Error | undefined> {
    while (this.ended === undefined) await turn();
    return this.ended.error;
  }
}

/** @param mask nothing: the frame is not masked */
function frame(first: number, payload: Uint8Array, mask: readonly number[] = NO_MASK): Buffer {
  const { length } = payload;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  const [short, ...long] = size ?? [
    127,
    0,
    0,
    0,
    0,
    length >>> 24,
    (length >> 16) & 255,
    (length >> 8) & 255,
    length & 255,
  ];
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([
    Buffer.of(first, (short as number) | (mask.length === 0 ? 0 : 0x80), ...long, ...mask),
    masked,
  ]);
}

let seed = 0;
/** Bytes that look like frames in places. */
function bytes(length: number): Uint8Array {
  seed += 1;
  return new Uint8Array(length).map((_, index) =>
    index % 7 === 0 ? 0x82 : index % 7 === 1 ? 0x85 : index * seed,
  );
}

const size = fc.oneof(fc.constantFrom(0, 1, 125, 126, 4_095, 4_096, 65_535, 65_536, 65_537), fc.nat(70_000));
const message = fc.record({
  sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
  mask: fc.oneof(
    { weight: 4, arbitrary: fc.constant(NO_MASK) },
    { weight: 1, arbitrary: fc.constant([1, 2, 0, 4]) },
  ),
  /** A ping goes before this frame. */
  ping: fc.option(fc.nat(3), { nil: undefined }),
});
const reads = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), {
  minLength: 1,
  maxLength: 20,
});

describe('messages of a WebSocket', () => {
  test('arrive whole and in order, whatever their frames and however they are cut into reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 6 }), reads, async (messages, cuts) => {
        const listening = new Listening();
        const sent: Buffer[] = [];
        const frames: Buffer[] = [];
        let pings = 0;
        for (const { sizes, mask, ping } of messages) {
          const payloads = sizes.map(bytes);
          sent.push(Buffer.concat(payloads));
          for (const [index, payload] of payloads.entries()) {
            if (ping === index) {
              frames.push(frame(FIN | PING, Buffer.from('ping'), mask));
              pings++;
            }
            const isLast = index === payloads.length - 1;
            frames.push(frame((isLast ? FIN : 0) | (index === 0 ? BINARY : 0), payload, mask));
          }
        }
        const stream = Buffer.concat(frames);
        const least = Math.ceil(stream.length / 500);
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const length = Math.max(least, cuts[cut % cuts.length] as number);
          listening.arrive(stream.subarray(at, at + length));
          at += length;
        }
        await turn();
        await turn();
        expect(listening.messages.length).toBe(sent.length);
        for (const [index, got] of listening.messages.entries())
          expect(got.equals(sent[index] as Buffer)).toBe(true);
        expect(Buffer.concat(listening.written).toString('latin1').split('ping').length - 1).toBe(pings);
      }),
      { numRuns: 150 },
    );
  });

  test('free the reads of their parts', async () => {
    const listening = new Listening();
    const part = bytes(65_536);
    const stream = Buffer.concat(
      Array.from({ length: 16 }, () => [frame(BINARY, bytes(20)), frame(FIN, part)]).flat(),
    );
    for (let at = 0; at < stream.length; at += 60_000) listening.arrive(stream.subarray(at, at + 60_000));
    await turn();
    expect(listening.messages).toHaveLength(16);
    expect(listening.reads.filter(({ detached }) => !detached)).toEqual([]);
  });
});

test('a socket that others read as well, or that ws reads in another way, gives ws all its bytes', async () => {
  const other: Buffer[] = [];
  const listening = new Listening((socket) => socket.on('data', (bytes: Buffer) => other.push(bytes)));
  const part = bytes(65_536);
  const frames = Buffer.concat([frame(BINARY, bytes(20)), frame(FIN, part)]);
  listening.arrive(frames);
  await turn();
  expect(listening.messages.map(({ length }) => length)).toEqual([65_556]);
  expect(listening.reads.filter(({ detached }) => detached)).toEqual([]);
  expect(Buffer.concat(other).equals(frames)).toBe(true);

  const silent = new Duplex({ read() {}, write() {} });
  sockets.push(silent);
  expect(LargePayloads.between(silent)).toBeUndefined();
});

describe('the protocol is checked where payloads are taken out', () => {
  const part = bytes(50_000);

  test.each([
    ['a continuation without a beginning', [frame(FIN, part)], /opcode/],
    ['a part that is not masked', [frame(BINARY, part), frame(FIN, part, [])], /MASK/],
    ['a part with a reserved bit', [frame(BINARY, part), frame(FIN | 0x10, part)], /RSV/],
    ['a message of more than 1 MiB', [frame(BINARY, bytes(MIB - 49_999)), frame(FIN, part)], /payload size/],
  ])('%s closes the link', async (_what, frames, reason) => {
    const listening = new Listening();
    for (const one of frames) listening.arrive(one);
    listening.socket.push(null);
    const error = await listening.endedWith();
    expect(error).toBeInstanceOf(WireError);
    expect(error?.message).toMatch(reason);
    expect(listening.messages).toEqual([]);
  });

  test('nothing is read behind a close', async () => {
    const listening = new Listening();
    const close = frame(FIN | CLOSE, Buffer.from([0x03, 0xe8]));
    listening.arrive(
      Buffer.concat([frame(BINARY, part), frame(FIN, part), close, frame(BINARY, part), frame(FIN, part)]),
    );
    listening.socket.push(null);
    expect(await listening.endedWith()).toBeUndefined();
    expect(listening.messages).toHaveLength(1);
  });

  test('a part that is cut off by the end of a paused socket is no frame', async () => {
    const listening = new Listening();
    // What looks like a message of its own.
    const inside = Buffer.concat([bytes(100), frame(FIN | BINARY, Buffer.from('smuggled'))]);
    const stream = Buffer.concat([frame(BINARY, bytes(20)), frame(FIN, Buffer.concat([inside, part]))]);
    const at = stream.length - part.length - inside.length + 100;
    listening.arrive(stream.subarray(0, at));
    await turn();
    listening.socket.pause();
    listening.arrive(stream.subarray(at, at + 40));
    listening.socket.destroy();
    expect(await listening.endedWith()).toMatchObject({ code: 1006 });
    expect(listening.messages).toEqual([]);
  });
});
