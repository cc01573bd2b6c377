import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { FRAME } from '../../../src/channel/frames.ts';
import { Codec } from '../../../src/wire/codec.ts';
import { linkKeys } from '../../../src/wire/keys.ts';
import type { LinkSocket } from '../../../src/wire/link-socket.ts';
import { messageHead } from '../../../src/wire/message.ts';
import { PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import { MAX_UNPROVED } from '../../../src/wire/unproved-sockets.ts';
import { createUpgrade, openWebSocket } from '../../../src/wire/websocket-link.ts';
import { FaultCounts } from '../../../src/wire/wire-error.ts';
import { eventually } from '../../support/until.ts';
import {
  certificates,
  dialling,
  listening,
  OTHER_SECRET,
  SECRET,
  security,
} from '../../support/wire/links.ts';

const PLAIN = { trustNetwork: true };

/** A server on 127.0.0.1 until the test ends. */
async function serving<T extends Server>(server: T): Promise<{ port: number } & AsyncDisposable> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves with what the other side sent, once the connection is closed. */
async function closed(socket: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (bytes) => pieces.push(bytes));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(pieces).toString('latin1');
}

/** A server that passes connections on, and tells the socket to the target: bytes can be slipped in. */
function connectThrough(tell: (socket: Socket) => void): (port: number) => Server {
  return (port) =>
    createServer((client) => {
      const target = connect(port, '127.0.0.1');
      tell(target);
      for (const socket of [client, target]) socket.on('error', () => {});
      client.pipe(target);
      target.pipe(client);
    });
}

function message(...slots: unknown[]): Buffer {
  return messageHead(new Codec().encode(slots));
}

/** A WebSocket without a handshake of links. */
async function raw(
  port: number,
): Promise<{ socket: LinkSocket; closed: Promise<unknown>; first: Promise<unknown[]> }> {
  const tcp = connect(port, '127.0.0.1');
  const socket = await openWebSocket(tcp, `127.0.0.1:${port}`);
  const end = Promise.withResolvers<unknown>();
  const first = Promise.withResolvers<unknown[]>();
  socket.listen({
    message: ([piece]) => first.resolve(new Codec().decode((piece as Buffer).subarray(4))),
    closed: (error) => end.resolve(error),
  });
  return { socket, closed: end.promise, first: first.promise };
}

describe('a server that is none of the fleet', () => {
  test('security link 1: is not trusted for a certificate, however good', async () => {
    const { cert, key } = certificates('fleet');
    await using server = await serving(createTlsServer({ cert, key, minVersion: 'TLSv1.3' }));
    await expect(dialling(server.port)).rejects.toMatchObject({ name: 'ServeError' });
  });

  test('security link 1: is not trusted for a certificate of an authority that this process trusts', async () => {
    const { cert, key, ca } = certificates('fleet');
    // What `NODE_EXTRA_CA_CERTS` does: the authority is one of those that OpenSSL takes by default.
    await using server = await serving(createTlsServer({ cert, key, minVersion: 'TLSv1.3' }));
    const own = security();
    const trusting = Object.create(own, {
      clientOptions: { value: { ...own.clientOptions, ca: [ca as Buffer] } },
      isProved: { value: own.isProved.bind(own) },
      bindingOf: { value: own.bindingOf.bind(own) },
    });
    const counts = new FaultCounts();
    await expect(dialling(server.port, { security: trusting, counts })).rejects.toMatchObject({
      code: 'SERVE_UNAUTHORIZED',
      message: expect.stringContaining('did not use a key of this fleet'),
    });
    expect(counts.of('unauthorized')).toBe(1);
  });

  test('security link 4: with another secret is refused, with and without certificates', async () => {
    for (const options of [{}, { tls: certificates('fleet') }, PLAIN]) {
      await using server = await listening({ security: security({ ...options, secrets: [OTHER_SECRET] }) });
      const counts = new FaultCounts();
      const dialled = dialling(server.listener.port, { security: security(options), counts });
      await expect(dialled).rejects.toMatchObject({ name: 'ServeError' });
      expect(server.links).toEqual([]);
      // The listener has found the fault, and counts it.
      expect(counts.of('unauthorized')).toBe(0);
    }
  });

  test('security link 1: with a certificate of another authority is refused', async () => {
    await using server = await listening({ security: security({ tls: certificates('other') }) });
    const dialled = dialling(server.listener.port, {
      security: security({ tls: certificates('fleet', 'other') }),
    });
    await expect(dialled).rejects.toMatchObject({ name: 'ServeError' });
    const trusting = dialling(server.listener.port, { security: security({ tls: certificates('fleet') }) });
    await expect(trusting).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(server.links).toEqual([]);
  });

  test('security link 2: that says what was said to it proves nothing', async () => {
    const upgrade = await createUpgrade();
    const http = createHttpServer();
    http.on('upgrade', (req, socket, head) =>
      upgrade(req, socket, head, (link) => {
        const greet = (greeting: unknown[]) => message(PEER_FRAME.challenge, ...greeting.slice(1));
        link.listen({
          message: ([piece]) => {
            const slots = new Codec().decode((piece as Buffer).subarray(4));
            if (slots[0] === PEER_FRAME.hello) link.send([greet(slots)]);
            else link.send([message(PEER_FRAME.welcome, ...slots.slice(1))]);
          },
          closed: () => {},
        });
      }),
    );
    await using server = await serving(http);
    await expect(dialling(server.port, { security: security(PLAIN) })).rejects.toMatchObject({
      code: 'SERVE_UNAUTHORIZED',
      message: expect.stringContaining('repeats the greeting of this instance'),
    });
  });

  test('security link 2: that gives back the proof of who dials is refused: proofs say whose they are', async () => {
    const upgrade = await createUpgrade();
    const http = createHttpServer();
    http.on('upgrade', (req, socket, head) =>
      upgrade(req, socket, head, (link) => {
        link.listen({
          message: ([piece]) => {
            const [kind, , ...fields] = new Codec().decode((piece as Buffer).subarray(4));
            if (kind === PEER_FRAME.hello) {
              const [version, , epoch, , maxPayload, views, key] = fields;
              link.send([
                message(
                  PEER_FRAME.challenge,
                  7,
                  version,
                  'rogue',
                  epoch,
                  'n'.repeat(32),
                  maxPayload,
                  views,
                  key,
                ),
              ]);
            } else {
              link.send([message(PEER_FRAME.welcome, 1, ...fields)]);
            }
          },
          closed: () => {},
        });
      }),
    );
    await using server = await serving(http);
    const counts = new FaultCounts();
    await expect(dialling(server.port, { security: security(PLAIN), counts })).rejects.toMatchObject({
      code: 'SERVE_UNAUTHORIZED',
      message: expect.stringContaining('does not know the secret'),
    });
    expect(counts.of('unauthorized')).toBe(1);
  });

  test('security link 2: that passes a link with certificates on to a member is refused: the proof belongs to one connection', async () => {
    const tls = certificates('fleet');
    await using member = await listening({ security: security({ tls }) });
    // In between, with a certificate of the fleet's authority, and without the secret.
    const { cert, key, ca } = tls;
    const between = createTlsServer(
      { cert, key, ca: [ca as Buffer], requestCert: true, minVersion: 'TLSv1.3' },
      (client) => {
        const onward = connectTls({
          port: member.listener.port,
          host: '127.0.0.1',
          cert,
          key,
          ca: [ca as Buffer],
          checkServerIdentity: () => undefined,
        });
        for (const socket of [client, onward]) socket.on('error', () => {});
        client.pipe(onward);
        onward.pipe(client);
      },
    );
    await using server = await serving(between);
    await expect(dialling(server.port, { security: security({ tls }) })).rejects.toMatchObject({
      code: 'SERVE_UNAUTHORIZED',
    });
    await eventually(() => member.counts.of('unauthorized') > 0);
    expect(member.links).toEqual([]);
  });

  test('that never answers is given up', async () => {
    await using server = await serving(createServer());
    const before = performance.now();
    await expect(dialling(server.port)).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(performance.now() - before).toBeGreaterThan(2_900);
  });
});

describe('a peer that has proved itself, and breaks the protocol', () => {
  test.each<[string, Buffer, string]>([
    ['a message of 4 GiB', Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 'limit'],
    ['text', Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]), 'malformed'],
    ['garbage', Buffer.from([0x82, 0x85, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1]), 'malformed'],
    ['an empty message', Buffer.from([0x82, 0x80, 0, 0, 0, 0]), 'malformed'],
    ['an unknown opcode', Buffer.from([0x8b, 0x80, 0, 0, 0, 0]), 'malformed'],
  ])('security row 17: is cut off for %s, and counted', async (_what, bytes, fault) => {
    await using server = await listening({ security: security(PLAIN) });
    const accepted = server.next();
    let tcp: Socket | undefined;
    const peer = connectThrough((socket) => {
      tcp = socket;
    });
    await using relay = await serving(peer(server.listener.port));
    using link = await dialling(relay.port, { security: security(PLAIN) });
    const { inbox } = await accepted;
    tcp?.write(bytes);
    expect(await inbox.ended).toBeInstanceOf(Error);
    await link.inbox.ended;
    await eventually(() => server.counts.of(fault as 'limit') === 1);
  });
});

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
