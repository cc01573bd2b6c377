import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { Member } from '../../support/fleet/members.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;
const MIB = 1_048_576;
/** More than all windows, and the buffers of the sockets of a client, hold together. */
const AMPLE_BYTES = 24 * MIB;

const folder = mkdtempSync(join(tmpdir(), 'inserve-hops-'));
const log = join(folder, 'log');
const resources = new AsyncDisposableStack();
let host: Member;
let caller: FleetInstance;
let handle: DeploymentHandle<Probe>;
let port: number;

/** The value that `read` gives once it has not changed for 100 ms. */
async function steady(read: () => number | Promise<number>): Promise<number> {
  let before = 0;
  for (let value = await read(); value === 0 || value !== before; value = await read()) {
    before = value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return before;
}

beforeAll(async () => {
  writeFileSync(log, '');
  resources.defer(() => rmSync(folder, { recursive: true }));
  host = resources.use(await Member.start({ maxOngoingRequests: 16 }));
  caller = resources.use(await fleetInstance({ peers: [host.address] }));
  await linked(caller, 1);
  handle = caller.serve.handle<Probe>('probe');
  const middleware = caller.serve.middleware('probe', { path: '/', bodyLimit: '1gb' });
  const server = createServer(middleware);
  caller.serve.attachWebSocket(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  port = (server.address() as { port: number }).port;
}, START_MS);

afterAll(() => resources.disposeAsync());

describe('the slower side stops the other one, two hops away', () => {
  test(
    'a body that the replica does not read',
    async () => {
      const gate = join(folder, 'body');
      const upload = request({
        port,
        method: 'POST',
        path: `/unread?log=${encodeURIComponent(log)}&gate=${encodeURIComponent(gate)}`,
      });
      const answered = new Promise<number | undefined>((resolve, reject) => {
        upload.on('response', (response) => resolve(response.resume().statusCode));
        upload.on('error', reject);
      });
      let sent = 0;
      let isOver = false;
      const send = (): void => {
        for (let hasRoom = true; hasRoom && !isOver; sent += 65_536)
          hasRoom = upload.write(Buffer.alloc(65_536));
      };
      upload.on('drain', send);
      send();
      await eventually(() => readFileSync(log, 'utf8').includes('unread'));
      expect(await steady(() => sent)).toBeLessThan(AMPLE_BYTES);
      isOver = true;
      writeFileSync(gate, '');
      upload.end();
      expect(await answered).toBe(200);
    },
    START_MS,
  );

  test(
    'a client that reads no messages of its WebSocket',
    async () => {
      using client = await SocketClient.connect(port, '/flood');
      expect(await client.next()).toBe(`from ${host.pid}`);
      client.ws.pause();
      const produced = await steady(() => handle.produced.remote());
      expect(produced * 8_192).toBeLessThan(AMPLE_BYTES);
      client.ws.resume();
      await eventually(async () => (await handle.produced.remote()) > produced + 100);
    },
    START_MS,
  );

  test(
    'a replica that reads no messages of its WebSocket',
    async () => {
      const gate = join(folder, 'messages');
      const query = `log=${encodeURIComponent(log)}&gate=${encodeURIComponent(gate)}`;
      using client = await SocketClient.connect(port, `/unread?${query}`);
      expect(await client.next()).toBe(`from ${host.pid}`);
      const message = 'x'.repeat(65_536);
      const count = (2 * AMPLE_BYTES) / message.length;
      for (let index = 0; index < count; index++) client.send(message);
      // The rest waits at the client.
      expect(await steady(() => client.ws.bufferedAmount)).toBeGreaterThan(AMPLE_BYTES);
      writeFileSync(gate, '');
      for (let index = 0; index < count; index++) expect((await client.next()).length).toBe(message.length);
      expect(client.ws.bufferedAmount).toBe(0);
    },
    START_MS,
  );
});

test(
  'calls of an instance that dies are cancelled where they run, and their places are free',
  async () => {
    await using dies = await Member.start({ replicas: 0 });
    await dies.tell({ type: 'peers', peers: [host.address] });
    const ends = join(folder, 'ends');
    writeFileSync(ends, '');
    await dies.tell({ type: 'forever', calls: 16, log: ends });
    await eventually(
      async () =>
        (await handle
          .options({ timeoutMs: 500 })
          .where.remote()
          .catch(() => 0)) === 0,
    );
    dies.kill();
    await eventually(() => readFileSync(ends, 'utf8').split('cancelled').length === 17);
    expect(await Promise.all(Array.from({ length: 16 }, () => handle.hold.remote(1)))).toEqual(
      Array(16).fill(host.pid),
    );
  },
  START_MS,
);

test(
  'a call is hedged once, where it entered, and by another instance',
  async () => {
    const slow = probe.options({
      numReplicas: 2,
      maxOngoingRequests: 2,
      idempotent: ['mark'],
      hedge: { afterMs: 100, maxExtraRatio: 1 },
    });
    await using one = await fleetInstance();
    await using other = await fleetInstance();
    for (const { serve } of [one, other]) await serve.run(slow.bind(), { name: 'slow' });
    const peers = await Promise.all([one, other].map(({ fleet }) => fleet.address));
    await using enters = await fleetInstance({ peers });
    const calls = enters.serve.handle<Probe>('slow');
    await eventually(async () => (await calls.broadcast('where').catch(() => [])).length === 4);
    const marks = join(folder, 'marks');
    writeFileSync(marks, '');
    const call = calls.mark.remote('hedged', marks, 2_000);
    await call;
    expect(call.explain()).toMatchObject({ state: 'ok', hedged: true });
    // Neither of the two instances hedged it again.
    expect(readFileSync(marks, 'utf8').trim().split('\n')).toHaveLength(2);
  },
  START_MS,
);
