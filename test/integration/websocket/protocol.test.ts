import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { talker } from '../../fixtures/http/sockets.ts';
import { RawClient } from '../../support/http/client.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { type TalkingApp, talking } from './setup.ts';

/** A frame as clients send it: masked. */
function frame(opcode: number, payload: Uint8Array, { fin = true, masked = true, rsv = 0 } = {}): Buffer {
  const { length } = payload;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const extended = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  if (extended === undefined) throw new RangeError('too long for this test');
  extended[0] = (extended[0] as number) | (masked ? 0x80 : 0);
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = Buffer.from(
    payload.map((byte, index) => (masked ? byte ^ (mask[index % 4] as number) : byte)),
  );
  return Buffer.concat([Buffer.from([...head, ...extended]), mask, body]);
}

const text = (content: string, options = {}) => frame(1, Buffer.from(content), options);
const close = (code: number, reason = '') => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(8, Buffer.concat([payload, Buffer.from(reason)]));
};

let app: TalkingApp;
beforeAll(async () => {
  app = await talking({
    app: talker.options({ maxOngoingRequests: 100 }).bind(),
    webSocket: { messageLimit: 1_000, idleTimeoutMs: 150, bufferLimit: '8mb' },
  });
});
afterAll(() => app[Symbol.asyncDispose]());

async function open(path = '/echo'): Promise<RawClient> {
  const client = await RawClient.connect(app.port);
  client.head(
    `GET ${path} HTTP/1.1`,
    'Host: h',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  );
  await client.until('\r\n\r\n');
  return client;
}

/** What came behind the handshake, as bytes. */
function frames(client: RawClient): Buffer {
  const { received } = client;
  return Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
}

/** The code in the close frame that ends it; undefined if the end has none. */
async function closeCode(client: RawClient): Promise<number | undefined> {
  await client.closed();
  const all = frames(client);
  const at = all.lastIndexOf(0x88);
  return at === -1 || (all[at + 1] as number) < 2 ? undefined : all.readUInt16BE(at + 2);
}

/** The cases of Autobahn's test suite that say most about a server, each on a connection of its own. */
describe('the protocol', () => {
  test.each<[string, Buffer[], number]>([
    ['an unmasked frame', [frame(1, Buffer.from('x'), { masked: false })], 1002],
    ['a reserved bit', [text('x', { rsv: 4 })], 1002],
    ['a reserved opcode', [frame(3, Buffer.alloc(0))], 1002],
    ['a reserved control opcode', [frame(11, Buffer.alloc(0))], 1002],
    ['a fragmented control frame', [frame(9, Buffer.alloc(0), { fin: false })], 1002],
    ['a ping that is too long', [frame(9, Buffer.alloc(126))], 1002],
    ['a continuation of nothing', [frame(0, Buffer.from('x'))], 1002],
    ['a text within a fragmented one', [text('a', { fin: false }), text('b')], 1002],
    [
      'text that is no UTF-8',
      [frame(1, Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80]))],
      1007,
    ],
    [
      'a code point cut off at the end of the last fragment',
      [frame(1, Buffer.from([0xce]), { fin: false }), frame(0, Buffer.alloc(0))],
      1007,
    ],
    ['a close frame with half a code', [frame(8, Buffer.from([3]))], 1002],
    ['a close frame with a reason that is no UTF-8', [frame(8, Buffer.from([3, 232, 0xff]))], 1007],
    ...[0, 999, 1004, 1005, 1006, 1016, 2999, 5000].map((code): [string, Buffer[], number] => [
      `close code ${code}`,
      [close(code)],
      1002,
    ]),
    ...[1000, 1001, 1011, 3000, 4999].map((code): [string, Buffer[], number] => [
      `close code ${code}`,
      [close(code, 'bye')],
      code,
    ]),
    ['security row 35: a message over the limit', [frame(2, Buffer.alloc(1_001))], 1009],
    [
      'security row 35: fragments over the limit',
      [frame(2, Buffer.alloc(600), { fin: false }), frame(0, Buffer.alloc(600))],
      1009,
    ],
  ])('%s is answered with the code', async (_what, sent, code) => {
    using client = await open();
    client.write(Buffer.concat(sent));
    expect(await closeCode(client)).toBe(code);
  });

  test('an empty close frame is answered with one', async () => {
    using client = await open();
    client.write(frame(8, Buffer.alloc(0)));
    await client.closed();
    expect(frames(client)).toEqual(Buffer.from([0x88, 0]));
  });

  test('fragments, a code point over two of them, and a ping in between', async () => {
    using client = await open();
    const [first, second] = [Buffer.from([0xe2, 0x82]), Buffer.from([0xac])];
    client.write(
      Buffer.concat([
        frame(1, first, { fin: false }),
        frame(9, Buffer.from('p')),
        frame(0, Buffer.alloc(0), { fin: false }),
        frame(0, second),
      ]),
    );
    await client.until('\x81\x03\xe2\x82\xac');
    expect(frames(client).subarray(0, 3)).toEqual(Buffer.from([0x8a, 1, 0x70]));
  });

  test('one byte at a time', async () => {
    using client = await open();
    client.socket.setNoDelay(true);
    for (const byte of text('slowly')) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until('\x81\x06slowly');
  });

  test('a frame right behind the request is not lost', async () => {
    using client = await RawClient.connect(app.port);
    const head = [
      'GET /echo HTTP/1.1',
      'Host: h',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    ];
    client.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), text('eager')]));
    await new Promise((resolve) => setImmediate(resolve));
    client.write(text('later'));
    await client.until('\x81\x05eager\x81\x05later');
  });

  test('security row 35: a flood of pings closes with 1008', async () => {
    using client = await open();
    client.write(Buffer.concat(Array.from({ length: 2_000 }, () => frame(9, Buffer.from('p')))));
    expect(await closeCode(client)).toBe(1008);
  });

  test('a client that is silent is asked, and cut when it does not answer', async () => {
    using silent = await open('/echo?key=silent');
    using lively = await SocketClient.connect(app.port, '/echo');
    await silent.closed();
    expect(frames(silent)).toEqual(Buffer.from([0x89, 0]));
    await app.handle.until.remote('silent:closed:1006::false');
    // The library answers pings by itself.
    lively.send('still here');
    expect(await lively.next()).toBe('still here');
  });

  test('a client that never reads is cut once too much waits for it', async () => {
    using client = await SocketClient.connect(app.port, '/shout?key=s');
    client.ws.pause();
    await app.handle.until.remote('s:stopped');
    // The host hears of it behind the answer to `until`.
    await expect
      .poll(() => app.serve.log.records.map(({ message }) => message))
      .toContain('WebSocket: the connection was cut: the client reads too slowly');
  });
});
