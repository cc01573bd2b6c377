import { describe, expect, test } from 'vitest';
import { FRAME } from '../../../src/channel/frames.ts';
import { PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import type { LinkSecurity, LinkSecurityOptions } from '../../../src/wire/security.ts';
import { VIEWS_HERE } from '../../../src/wire/values/extension.ts';
import { eventually } from '../../support/until.ts';
import {
  certificates,
  dialling,
  introduction,
  listening,
  OTHER_SECRET,
  SECRET,
  security,
} from '../../support/wire/links.ts';

const MIB = 1_048_576;

const MODES: Array<[string, Partial<LinkSecurityOptions>]> = [
  ['a pre-shared key', {}],
  ['certificates', { tls: certificates('fleet') }],
  ['a network that is trusted', { trustNetwork: true }],
];

describe.each(MODES)('a link over %s', (_what, options) => {
  test('carries frames both ways, small and large', async () => {
    await using server = await listening({ security: security(options) });
    const accepted = server.next();
    using client = await dialling(server.listener.port, { security: security(options) });
    const peer = await accepted;
    expect(client.session).toEqual({
      role: 'dialer',
      version: 1,
      instance: 'listener',
      epoch: 1,
      maxPayload: 64 * MIB,
      views: VIEWS_HERE,
      rttMs: expect.any(Number),
    });
    expect(peer.session).toEqual({
      role: 'listener',
      version: 1,
      instance: 'dialer',
      epoch: 1,
      maxPayload: 64 * MIB,
      views: VIEWS_HERE,
      rttMs: expect.any(Number),
    });
    for (const { session } of [client, peer]) expect(session.rttMs).toBeGreaterThan(0);
    const bytes = new Uint8Array(3 * MIB).map((_, index) => index * 11);
    client.link.post([FRAME.call, 0, 0, 1, 0, 1, { x: 1 }]);
    client.link.post([FRAME.chunk, 0, bytes, bytes.length]);
    const [call, chunk] = await peer.inbox.first(2);
    expect(call).toEqual([FRAME.call, 0, 0, 1, 0, 1, { x: 1 }]);
    expect(Buffer.compare(chunk?.[2] as Uint8Array, bytes)).toBe(0);
    peer.link.post([FRAME.result, 0, bytes]);
    expect(Buffer.compare((await client.inbox.first(1))[0]?.[2] as Uint8Array, bytes)).toBe(0);
    expect(server.listener.unproved).toBe(0);
  });

  test('ends in order on both sides', async () => {
    await using server = await listening({ security: security(options) });
    const accepted = server.next();
    using client = await dialling(server.listener.port, { security: security(options) });
    const peer = await accepted;
    client.link.post([FRAME.end, 1]);
    client.link.close(1001, 'bye');
    expect(await peer.inbox.ended).toBe(undefined);
    expect(await client.inbox.ended).toBe(undefined);
    expect(peer.inbox.received).toEqual([[FRAME.end, 1]]);
  });

  test('that is closed while a large frame is on its way does not end in order', async () => {
    await using server = await listening({ security: security(options) });
    const accepted = server.next();
    using client = await dialling(server.listener.port, { security: security(options) });
    const peer = await accepted;
    client.link.post([FRAME.result, 0, new Uint8Array(60 * MIB)]);
    client.link.close();
    expect(await peer.inbox.ended).toMatchObject({ code: 4410 });
    expect(peer.inbox.received).toEqual([]);
  });

  test('that breaks is told at once', async () => {
    await using server = await listening({ security: security(options) });
    const accepted = server.next();
    using client = await dialling(server.listener.port, { security: security(options) });
    const peer = await accepted;
    peer.link.destroy();
    expect(await client.inbox.ended).toMatchObject({ code: 1006 });
  });

  test('needs the same secret and the same fleet', async () => {
    await using server = await listening({ security: security(options) });
    for (const other of [{ secrets: [OTHER_SECRET] }, { fleet: 'other' }]) {
      const dialled = dialling(server.listener.port, { security: security({ ...options, ...other }) });
      await expect(dialled).rejects.toMatchObject({ name: 'ServeError' });
    }
    await eventually(() => server.counts.of('unauthorized') === 2);
    expect(server.links).toEqual([]);
    await eventually(() => server.listener.unproved === 0);
  });

  test('takes each of several secrets, so that they change without a stop', async () => {
    const [old, both, next] = [[SECRET], [SECRET, OTHER_SECRET], [OTHER_SECRET, SECRET]];
    await using server = await listening({ security: security({ ...options, secrets: old }) });
    const dial = async (secrets: string[]): Promise<boolean> => {
      try {
        using _link = await dialling(server.listener.port, { security: security({ ...options, secrets }) });
        return true;
      } catch {
        return false;
      }
    };
    expect(await dial(both)).toBe(true);
    expect(await dial(next)).toBe(false);
    server.listener.secureWith(security({ ...options, secrets: both }));
    expect(await dial(old)).toBe(true);
    expect(await dial(next)).toBe(true);
    server.listener.secureWith(security({ ...options, secrets: [OTHER_SECRET] }));
    expect(await dial(old)).toBe(false);
    expect(await dial(both)).toBe(false);
    expect(await dial(next)).toBe(true);
  });

  test('speaks the version of the older one, if it is one less', async () => {
    const self = introduction('listener', { version: 3 });
    await using server = await listening({ security: security(options), self });
    const dial = (version: number) =>
      dialling(server.listener.port, {
        security: security(options),
        self: introduction('dialer', { version }),
      });
    for (const [version, spoken] of [
      [3, 3],
      [2, 2],
      [4, 3],
    ] as const) {
      using client = await dial(version);
      expect(client.session.version).toBe(spoken);
    }
    for (const version of [1, 5])
      await expect(dial(version)).rejects.toMatchObject({
        code: 'SERVE_UNAVAILABLE',
        cause: { fault: 'version' },
      });
    expect(server.counts.of('version')).toBe(2);
  });

  test('is not made to oneself, nor to another instance than the one that is dialled', async () => {
    await using server = await listening({ security: security(options) });
    const dial = (more: object) => dialling(server.listener.port, { security: security(options), ...more });
    await expect(dial({ self: introduction('listener') })).rejects.toMatchObject({
      code: 'SERVE_UNAUTHORIZED',
    });
    await expect(dial({ expected: 'someone' })).rejects.toMatchObject({ code: 'SERVE_UNAUTHORIZED' });
    using link = await dial({ expected: 'listener' });
    expect(link.session.instance).toBe('listener');
  });
});

test('certificates are replaced without a stop', async () => {
  const [old, next] = (['fleet', 'other'] as const).map((name) => security({ tls: certificates(name) }));
  await using server = await listening({ security: old as LinkSecurity });
  using before = await dialling(server.listener.port, { security: old as LinkSecurity });
  await expect(dialling(server.listener.port, { security: next as LinkSecurity })).rejects.toThrow('no link');
  server.listener.secureWith(next as LinkSecurity);
  using after = await dialling(server.listener.port, { security: next as LinkSecurity });
  await expect(dialling(server.listener.port, { security: old as LinkSecurity })).rejects.toThrow('no link');
  for (const { link, inbox } of [before, after]) {
    link.post([PEER_FRAME.ping, 1]);
    expect(await inbox.first(1)).toEqual([[PEER_FRAME.pong, 1]]);
  }
});

test('only allowed addresses are dialled', async () => {
  await using server = await listening();
  const { AddressFilter } = await import('../../../src/wire/addresses.ts');
  const allow = new AddressFilter({ networks: ['10.0.0.0/8'] });
  await expect(dialling(server.listener.port, { allow })).rejects.toMatchObject({
    code: 'SERVE_UNAUTHORIZED',
  });
  await expect(dialling(server.listener.port, { host: 'localhost' })).rejects.toMatchObject({
    code: 'SERVE_UNAUTHORIZED',
  });
  expect(server.listener.unproved).toBe(0);
});

test('nobody listens: the cause says so at once', async () => {
  const server = await listening();
  const { port } = server.listener;
  await server[Symbol.asyncDispose]();
  await expect(dialling(port)).rejects.toMatchObject({
    code: 'SERVE_UNAVAILABLE',
    cause: { code: 'ECONNREFUSED' },
  });
});
