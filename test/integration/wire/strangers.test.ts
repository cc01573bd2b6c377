import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { FRAME } from '../../../src/channel/frames.ts';
import { linkKeys } from '../../../src/wire/keys.ts';
import { PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import { MAX_UNPROVED } from '../../../src/wire/unproved-sockets.ts';
import { openWebSocket } from '../../../src/wire/websocket-link.ts';
import { FAULT } from '../../../src/wire/wire-error.ts';
import { eventually } from '../../support/until.ts';
import { dialling, listening, SECRET, security } from '../../support/wire/links.ts';
import { closed, message, raw } from '../../support/wire/raw-sockets.ts';

const PLAIN = { trustNetwork: true };
const FAULTS = Object.values(FAULT);

/** Continuations of a message in pieces of four bytes. */
function continuations(count: number): Buffer[] {
  return Array.from({ length: count }, () => Buffer.from([0x00, 0x84, 0, 0, 0, 0, 1, 2, 3, 4]));
}

describe('a client that is none of the fleet', () => {
  test('security link 4: without a key gets nothing from a listener with TLS', async () => {
    await using server = await listening();
    const tls = connectTls({ port: server.listener.port, host: '127.0.0.1', rejectUnauthorized: false });
    expect(await closed(tls)).toBe('');
    const plain = connect(server.listener.port, '127.0.0.1');
    plain.write('GET /inserve HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await closed(plain)).toBe('');
    expect(server.counts.of('unauthorized')).toBe(2);
    expect(server.listener.unproved).toBe(0);
  });

  test('security link 3: cannot talk it into an older TLS', async () => {
    await using server = await listening();
    const { id, preShared } = linkKeys(SECRET, 'test');
    const old = connectTls({
      port: server.listener.port,
      host: '127.0.0.1',
      maxVersion: 'TLSv1.2',
      ciphers: 'PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305',
      pskCallback: () => ({ psk: preShared, identity: id }),
      checkServerIdentity: () => undefined,
    });
    let isSecure = false;
    old.on('secureConnect', () => {
      isSecure = true;
    });
    await closed(old);
    expect(isSecure).toBe(false);
  });

  test('security link 3: cannot talk a fleet with TLS out of it, either way', async () => {
    await using secured = await listening();
    await expect(dialling(secured.listener.port, { security: security(PLAIN) })).rejects.toMatchObject({
      name: 'ServeError',
    });
    await using plain = await listening({ security: security(PLAIN) });
    await expect(dialling(plain.listener.port)).rejects.toMatchObject({ name: 'ServeError' });
    expect([...secured.links, ...plain.links]).toEqual([]);
  });

  test.each(['GET / HTTP/1.1', 'POST /-/healthz HTTP/1.1', 'GET /inserve HTTP/1.1'])(
    'security row 13: is answered 401: %s',
    async (line) => {
      await using server = await listening({ security: security(PLAIN) });
      const socket = connect(server.listener.port, '127.0.0.1');
      socket.write(`${line}\r\nhost: x\r\n\r\n`);
      expect(await closed(socket)).toMatch(/^HTTP\/1\.1 401 /);
      expect(server.counts.of('unauthorized')).toBe(1);
    },
  );

  test('security row 13: is answered 401 for an upgrade elsewhere', async () => {
    await using server = await listening({ security: security(PLAIN) });
    const socket = connect(server.listener.port, '127.0.0.1');
    socket.write('GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    expect(await closed(socket)).toMatch(/^HTTP\/1\.1 401 /);
  });

  test.each<[string, unknown[]]>([
    ['a call', [FRAME.call, 0, 0, 1, 0, 0]],
    ['a proof without a hello', [PEER_FRAME.proof, 1, '']],
    ['a welcome', [PEER_FRAME.welcome, 1, '']],
    ['a challenge', [PEER_FRAME.challenge, 7, 1, 'x', 1, 'n'.repeat(32), 1, 12, 'k']],
    ['a key that is not known', [PEER_FRAME.hello, 7, 1, 'x', 1, 'n'.repeat(32), 1, 12, '0123456789abcdef']],
  ])('security row 13: is closed with 4401 for %s', async (_what, slots) => {
    await using server = await listening({ security: security(PLAIN) });
    const { socket, closed } = await raw(server.listener.port);
    socket.send([message(...slots)]);
    expect(await closed).toMatchObject({ code: 4401 });
    expect(server.counts.of('unauthorized')).toBe(1);
  });

  test.each(['', '00', 'f'.repeat(64), 'f'.repeat(600), 7])(
    'security row 14: is closed with 4401 for the proof %j',
    async (given) => {
      await using server = await listening({ security: security(PLAIN) });
      const { socket, closed, first } = await raw(server.listener.port);
      const { id } = linkKeys(SECRET, 'test');
      socket.send([message(PEER_FRAME.hello, 7, 1, 'x', 1, 'n'.repeat(32), 1, 12, id)]);
      expect((await first)[0]).toBe(PEER_FRAME.challenge);
      socket.send([message(PEER_FRAME.proof, 1, given)]);
      expect(await closed).toMatchObject({ code: 4401 });
      expect(server.links).toEqual([]);
    },
  );

  test.each<[string, number[], string]>([
    ['4 GiB', [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0], 'limit'],
    ['2^53 bytes', [0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0], 'limit'],
    ['more than 2^63 bytes', [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'limit'],
    ['an unknown opcode', [0x8b, 0x80, 0, 0, 0, 0], 'malformed'],
    ['no mask', [0x82, 0x01, 0], 'malformed'],
    ['reserved bits', [0xf2, 0x80, 0, 0, 0, 0], 'malformed'],
  ])(
    'security row 17: is closed for a frame of %s, before anything is reserved',
    async (_what, bytes, fault) => {
      await using server = await listening({ security: security(PLAIN) });
      const tcp = connect(server.listener.port, '127.0.0.1');
      const socket = await openWebSocket(tcp, `127.0.0.1:${server.listener.port}`);
      const end = Promise.withResolvers<unknown>();
      socket.listen({ message() {}, closed: (error) => end.resolve(error) });
      const before = process.memoryUsage().arrayBuffers;
      tcp.write(Buffer.from(bytes));
      await end.promise;
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
      await eventually(() => server.counts.of(fault as 'limit') === 1);
    },
  );

  test('is read for 4 KiB at most', async () => {
    await using server = await listening({ security: security(PLAIN) });
    const { socket, closed: end } = await raw(server.listener.port);
    socket.send([message(PEER_FRAME.hello, 1, 'x'.repeat(2_000))]);
    expect(await end).toMatchObject({ code: 4400 });
    const headers = connect(server.listener.port, '127.0.0.1');
    headers.write(`GET /inserve HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(5_000)}\r\n\r\n`);
    await closed(headers);
    await using secured = await listening();
    const hello = connect(secured.listener.port, '127.0.0.1');
    hello.write(Buffer.concat([Buffer.from([22, 3, 1, 0x20, 0]), Buffer.alloc(8_192)]));
    expect(await closed(hello)).toBe('');
    expect(secured.counts.of('limit')).toBe(1);
  });

  test.each<[string, Buffer]>([
    [
      'a message of 1 MB that has begun',
      Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]), Buffer.alloc(5_000)]),
    ],
    ['many pings', Buffer.concat(Array(400).fill(Buffer.from([0x89, 0x84, 0, 0, 0, 0, 1, 2, 3, 4])))],
    [
      'the pieces of a message',
      Buffer.concat([Buffer.from([0x02, 0x80, 0, 0, 0, 0]), ...continuations(900)]),
    ],
  ])('is read for 4 KiB at most, whatever it sends: %s', async (_what, bytes) => {
    await using server = await listening({ security: security(PLAIN) });
    const tcp = connect(server.listener.port, '127.0.0.1');
    const socket = await openWebSocket(tcp, `127.0.0.1:${server.listener.port}`);
    const end = Promise.withResolvers<unknown>();
    socket.listen({ message() {}, closed: (error) => end.resolve(error) });
    tcp.write(bytes);
    expect(await end.promise).toMatchObject({ code: 4400 });
    await eventually(() => server.listener.unproved === 0);
    expect(FAULTS.map((fault) => server.counts.of(fault))).toEqual(
      FAULTS.map((fault) => (fault === 'limit' ? 1 : 0)),
    );
  });

  test('is counted once, although both the connection and its handshake come to nothing', async () => {
    await using server = await listening({ security: security(PLAIN) });
    const { closed } = await raw(server.listener.port);
    await closed;
    await eventually(() => server.listener.unproved === 0);
    expect(FAULTS.reduce((sum, fault) => sum + server.counts.of(fault), 0)).toBe(1);
    expect(server.counts.of('late')).toBe(1);
  });

  test('may be one of 64', async () => {
    await using server = await listening();
    const sockets = Array.from({ length: MAX_UNPROVED }, () => connect(server.listener.port, '127.0.0.1'));
    await eventually(() => server.listener.unproved === MAX_UNPROVED);
    const more = connect(server.listener.port, '127.0.0.1');
    expect(await closed(more)).toBe('');
    expect(server.counts.of('limit')).toBe(1);
    for (const socket of sockets) socket.destroy();
    await eventually(() => server.listener.unproved === 0);
    using link = await dialling(server.listener.port);
    expect(link.session.instance).toBe('listener');
  });

  test.each([
    ['says nothing', []],
    ['drips', [22, 3, 1, 2, 0, 1, 0, 0, 0]],
  ])('that %s is cut off after 3 s', async (_what, drips) => {
    await using server = await listening();
    const socket = connect(server.listener.port, '127.0.0.1');
    const timer = setInterval(() => socket.write(Buffer.of(drips.shift() ?? 0)), 400);
    if (drips.length === 0) clearInterval(timer);
    await closed(socket);
    clearInterval(timer);
    expect(server.counts.of('late')).toBe(1);
    await eventually(() => server.listener.unproved === 0);
  });
});
