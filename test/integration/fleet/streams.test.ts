import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), 'inserve-fleet-'));
const gate = join(folder, 'gate');
const log = join(folder, 'log');
const resources = new AsyncDisposableStack();
let host: Member;
let caller: FleetInstance;
let port: number;

beforeAll(async () => {
  resources.defer(() => rmSync(folder, { recursive: true }));
  host = resources.use(await Member.start({ maxOngoingRequests: 8 }));
  caller = resources.use(await fleetInstance({ peers: [host.address] }));
  const { serve } = caller;
  const app = probe.options({ maxOngoingRequests: 1 }).bind();
  const middleware = serve.middleware(app, { name: 'probe', path: '/', bodyLimit: 10_000_000 });
  await middleware.ready();
  const server = createServer(middleware);
  serve.attachWebSocket(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer(() => void server.close());
  port = (server.address() as { port: number }).port;
  const handle = serve.handle<Probe>('probe');
  // The only place of the own replica is taken, so that all further calls go to the peer.
  const stays = handle.options({ preferLocal: true }).stay.remote('own', log, gate);
  resources.defer(async () => {
    writeFileSync(gate, '');
    await stays;
  });
  await eventually(
    async () =>
      (await handle
        .options({ timeoutMs: 2_000 })
        .where.remote()
        .catch(() => 0)) === host.pid,
  );
}, START_MS);

afterAll(() => resources.disposeAsync());

test('a stream comes through whole and in order, with marked values', async () => {
  const seen: number[] = [];
  for await (const { at, of } of caller.serve.handle<Probe>('probe').count.remote(500)) {
    expect(of.get('to')).toBe(500);
    seen.push(at);
  }
  expect(seen).toEqual(seen.map((_, index) => index));
  expect(seen).toHaveLength(500);
});

test('a stream that fails at the peer fails here, after the values before', async () => {
  const seen: number[] = [];
  const read = async (): Promise<void> => {
    for await (const value of caller.serve.handle<Probe>('probe').breaking.remote()) seen.push(value);
  };
  await expect(read()).rejects.toThrow(new RangeError('broken'));
  expect(seen).toEqual([1]);
});

test('a slow reader stops the producer at the peer', async () => {
  const handle = caller.serve.handle<Probe>('probe');
  const stream = await handle.endless.remote();
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  // 64 chunks or 256 KiB may be under way on each of two hops, which are 64 of these.
  await eventually(async () => (await handle.produced.remote()) > 50);
  let before = -1;
  await eventually(async () => {
    const produced = await handle.produced.remote();
    const isSteady = produced === before;
    before = produced;
    return isSteady;
  });
  expect(before).toBeLessThan(70);
  for (let read = 0; read < 100; read++) await reader.next();
  await eventually(async () => (await handle.produced.remote()) > 140);
  await reader.return?.();
});

test('31: a client that leaves an HTTP stream ends it at the peer, and its place is free', async () => {
  const ends = join(folder, 'ends');
  writeFileSync(ends, '');
  const leaves = async (): Promise<void> => {
    const controller = new AbortController();
    const { body } = await fetch(`http://127.0.0.1:${port}/endless?log=${encodeURIComponent(ends)}`, {
      signal: controller.signal,
    });
    const reader = body?.getReader();
    await reader?.read();
    // It reads no more: the producer stops.
    const handle = caller.serve.handle<Probe>('probe');
    let before = -1;
    await eventually(async () => {
      const produced = await handle.produced.remote();
      const isSteady = produced === before;
      before = produced;
      return isSteady;
    });
    controller.abort();
    await reader?.closed.catch(() => {});
  };
  // The peer has eight places.
  for (let time = 0; time < 9; time++) await leaves();
  await eventually(() => readFileSync(ends, 'utf8').split('ended').length === 10);
});

test('a body is uploaded through two hops', async () => {
  const body = new Uint8Array(5_000_000);
  const response = await fetch(`http://127.0.0.1:${port}/upload`, { method: 'POST', body });
  expect(await response.json()).toEqual({ pid: host.pid, bytes: body.length, path: '/upload' });
});

test('bodies that arrive together, more than the peer has places for, all arrive whole', async () => {
  const upload = async (size: number): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}/many`, {
      method: 'POST',
      body: new Uint8Array(size),
    });
    return ((await response.json()) as { bytes: number }).bytes;
  };
  const sizes = Array.from({ length: 60 }, (_, index) => 70_000 + index);
  expect(await Promise.all(sizes.map(upload))).toEqual(sizes);
});

test('a WebSocket session lives at the peer', async () => {
  using client = await SocketClient.connect(port, '/');
  expect(await client.next()).toBe(`from ${host.pid}`);
  for (const message of ['one', 'two', 'x'.repeat(100_000)]) {
    client.ws.send(message);
    expect(await client.next()).toBe(message);
  }
});
