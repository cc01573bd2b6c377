import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Codec } from '../../../src/wire/codec.ts';
import { PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import { createUpgrade } from '../../../src/wire/websocket-link.ts';
import { FaultCounts } from '../../../src/wire/wire-error.ts';
import { eventually } from '../../support/until.ts';
import { certificates, dialling, listening, OTHER_SECRET, security } from '../../support/wire/links.ts';
import { connectThrough, message, serving } from '../../support/wire/raw-sockets.ts';

const PLAIN = { trustNetwork: true };

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
