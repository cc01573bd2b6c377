import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeploymentHandle, DeploymentResponse } from '../../../src/index.ts';
import { type ChaosProxy, chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { ClosedLoop } from '../../support/fleet/closed-loop.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start and are found out, on a busy machine. */
const LIMIT_MS = 120_000;
const MIB = 1_048_576;

let resources: AsyncDisposableStack;
let proxy: ChaosProxy;
let caller: FleetInstance;
let handle: DeploymentHandle<Probe>;
/** The instance behind the bad network, and perhaps another one that is reached directly. */
let far: Member;
let near: Member | undefined;

beforeEach(() => {
  resources = new AsyncDisposableStack();
});

afterEach(() => resources.disposeAsync(), LIMIT_MS);

async function start(hasNear: boolean, maxOngoingRequests = 4): Promise<void> {
  far = resources.use(await Member.start({ maxOngoingRequests }));
  near = hasNear ? resources.use(await Member.start({ maxOngoingRequests })) : undefined;
  proxy = resources.use(await chaosProxy({ targetPort: far.address.port, seed: 5 }));
  const peers = [{ host: '127.0.0.1', port: proxy.port }, ...(near === undefined ? [] : [near.address])];
  caller = resources.use(await fleetInstance({ peers }));
  handle = caller.serve.handle<Probe>('probe');
  await eventually(async () => {
    const pids = await Promise.all(Array.from({ length: 8 }, () => handle.hold.remote(20))).catch(() => []);
    return new Set(pids).size === peers.length;
  }, LIMIT_MS);
}

describe('an instance that cannot be reached, and whose connections stay open', () => {
  test.each<[string, () => void]>([
    ['24: nothing passes either way', () => proxy.set({ stall: true })],
    ['24: nothing passes one way', () => proxy.toTarget.set({ stall: true })],
    ['29: its answers are swallowed', () => proxy.toClient.set({ stall: true })],
  ])(
    '%s: pings find it out, calls go to another one, deadlines hold, and it comes back',
    async (_what, cut) => {
      await start(true);
      const load = new ClosedLoop(handle, 6, 5);
      await eventually(() => load.ended.length >= 50, LIMIT_MS);
      cut();
      const late = Array.from({ length: 8 }, () => handle.options({ timeoutMs: 1_000 }).hold.remote(5));
      for (const outcome of await Promise.allSettled(late))
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SERVE_TIMEOUT' });
      await eventually(() => caller.fleet.peers.length === 1, LIMIT_MS);
      load.turn();
      await eventually(() => load.since.length >= 100, LIMIT_MS);
      expect(load.since.filter(({ code, pid }) => code !== 'ok' || pid !== near?.pid)).toEqual([]);
      // What was under way there has ended as well: nothing is pending.
      for (const call of load.failed)
        expect(call).toMatchObject({
          code: 'SERVE_REPLICA_DIED',
          isIdempotent: false,
          instance: far.instance,
        });
      proxy.heal();
      await eventually(() => caller.fleet.peers.length === 2, LIMIT_MS);
      await eventually(() => load.shareOf(far.pid) > 0, LIMIT_MS);
      await load.stop();
      expect(load.ended).toHaveLength(load.made);
    },
    LIMIT_MS,
  );
});

test(
  '26: a slow instance, 200 ± 50 ms, loses its share and not its link',
  async () => {
    await start(true);
    const news: string[] = [];
    caller.serve.on('peer', ({ state }) => news.push(state));
    const load = new ClosedLoop(handle, 4, 5);
    await eventually(() => load.shareOf(far.pid) > 0.2, LIMIT_MS);
    proxy.set({ latencyMs: 200, jitterMs: 50 });
    load.turn();
    await eventually(() => load.since.length >= 100 && load.shareOf(far.pid) <= 0.1, LIMIT_MS);
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(news).toEqual([]);
  },
  LIMIT_MS,
);

test(
  '27: packets are lost: every call is served, and none runs twice',
  async () => {
    await start(true);
    const folder = mkdtempSync(join(tmpdir(), 'inserve-loss-'));
    resources.defer(() => rmSync(folder, { recursive: true }));
    const log = join(folder, 'log');
    writeFileSync(log, '');
    // TCP sends a lost packet again after 200 ms, and what came behind it waits: one window of 20 ms in ten.
    const random = seededRandom(7);
    const timer = setInterval(() => {
      if (random() > 0.1) return;
      const direction = random() < 0.5 ? proxy.toTarget : proxy.toClient;
      direction.set({ stall: true });
      setTimeout(() => direction.set({}), 200);
    }, 20);
    resources.defer(() => clearInterval(timer));
    let made = 0;
    const ok: string[] = [];
    const one = async (): Promise<void> => {
      while (made < 600) {
        const token = `call-${made++}`;
        await handle.mark.remote(token, log, 5);
        ok.push(token);
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(one));
    const ran = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1] as string);
    expect(ran.sort()).toEqual(ok.sort());
    expect(readFileSync(log, 'utf8')).toContain(`${far.pid} `);
  },
  LIMIT_MS,
);

test(
  '28: a slow connection: small calls pass large ones, and little waits in memory',
  async () => {
    await start(false, 64);
    // The replica is open for many calls once it is known that they do not hold its loop.
    for (let round = 0; round < 10; round++)
      await Promise.all(Array.from({ length: 64 }, () => handle.hold.remote(2)));
    proxy.set({ bytesPerSecond: 2 * MIB });
    const controller = new AbortController();
    const large = handle.options({ signal: controller.signal, timeoutMs: 0 });
    let ended = 0;
    const send = (count: number): DeploymentResponse<number>[] =>
      Array.from({ length: count }, () => {
        const call = large.size.remote(new Uint8Array(MIB));
        call.then(
          () => ended++,
          () => {},
        );
        return call;
      });
    const calls = send(12);
    // It passes what has not reached the sockets, whose buffers hold some megabytes.
    await handle.options({ priority: 'critical' }).where.remote();
    expect(ended).toBeLessThan(12);
    // No call is handed to a link of which 8 MiB are unsent: the others wait here.
    proxy.set({ bytesPerSecond: 125_000 });
    calls.push(...send(40));
    const sent = calls.filter((call) => call.explain().state === 'running').length;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(30);
    controller.abort();
    await Promise.allSettled(calls);
    proxy.heal();
    expect(await handle.where.remote()).toBe(far.pid);
  },
  LIMIT_MS,
);

describe('30: a connection that breaks or comes in pieces', () => {
  test(
    'ends a stream with one error, behind whole chunks',
    async () => {
      await start(false);
      const stream = await handle.endless.remote();
      const seen: number[] = [];
      const errors: unknown[] = [];
      try {
        for await (const chunk of stream) {
          seen.push(chunk.length);
          if (seen.length === 20) proxy.reset();
        }
        errors.push('the stream came to an end');
      } catch (error) {
        errors.push(error);
      }
      expect(errors).toMatchObject([{ code: 'SERVE_REPLICA_DIED' }]);
      expect(new Set(seen)).toEqual(new Set([8_192]));
      await eventually(() => handle.where.remote().then(Boolean, () => false), LIMIT_MS);
    },
    LIMIT_MS,
  );

  test(
    'within a large result fails the call, and nothing half arrives',
    async () => {
      await start(false);
      proxy.toClient.set({ resetAfterBytes: 300_000 });
      const outcomes = await Promise.allSettled(
        [1, 2].map((fill) => handle.echo.remote(new Uint8Array(MIB).fill(fill))),
      );
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ reason: { code: 'SERVE_REPLICA_DIED' } });
      proxy.heal();
      await eventually(() => handle.where.remote().then(Boolean, () => false), LIMIT_MS);
      const bytes = (await handle.echo.remote(new Uint8Array(MIB).fill(3))) as Uint8Array;
      expect(bytes.every((byte) => byte === 3)).toBe(true);
    },
    LIMIT_MS,
  );

  test(
    'loses nothing where bytes come one by one',
    async () => {
      await start(false);
      proxy.set({ sliceBytes: 1 });
      const seen: number[] = [];
      for await (const { at, of } of handle.count.remote(10)) {
        expect(of).toEqual(new Map([['to', 10]]));
        seen.push(at);
      }
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
    LIMIT_MS,
  );
});
