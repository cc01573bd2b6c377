import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle, ServeOptions } from '../../../src/index.ts';
import { type ChaosProxy, chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { type Front, front, type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where threads and processes start, on a busy machine. */
const START_MS = 180_000;

interface Pair extends AsyncDisposable {
  readonly host: FleetInstance;
  readonly caller: FleetInstance;
  readonly handle: DeploymentHandle<Probe>;
}

/** An instance that has the probe, and one that calls it. */
async function pair(
  options: object = {},
  callerOptions: ServeOptions = {},
  through?: (port: number) => Promise<ChaosProxy>,
): Promise<Pair> {
  const resources = new AsyncDisposableStack();
  const host = resources.use(await fleetInstance());
  await host.serve.run(probe.options(options).bind(), { name: 'probe' });
  const { port } = await host.fleet.address;
  const proxy = through && resources.use(await through(port));
  const peers = [{ host: '127.0.0.1', port: proxy?.port ?? port }];
  const caller = resources.use(await fleetInstance({ peers }, callerOptions));
  const handle = caller.serve.handle<Probe>('probe');
  const answers = (): Promise<boolean> => handle.where.remote().then(Boolean, () => false);
  await eventually(answers, START_MS);
  return { host, caller, handle, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

describe('explain() of a call that ran on a replica of a peer', () => {
  let both: Pair;

  beforeAll(async () => {
    both = await pair({ numReplicas: 2, maxOngoingRequests: 1 });
    await eventually(async () => (await both.handle.broadcast('where')).length === 2, START_MS);
  }, START_MS);

  afterAll(() => both[Symbol.asyncDispose]());

  test('names the instance, the replica, the attempts, and how long it ran', async () => {
    const calls = Array.from({ length: 8 }, () => both.handle.compute.remote(5));
    const replicas = await Promise.all(calls);
    expect(new Set(replicas).size).toBe(2);
    const instance = both.host.serve.status().instance;
    for (const [index, call] of calls.entries()) {
      const about = call.explain();
      expect(about).toMatchObject({ state: 'ok', instance, replica: replicas[index], attempts: 1 });
      expect(about.ranMs).toBeGreaterThanOrEqual(5);
    }
  });

  test('says how long it waited there', async () => {
    const calls = Array.from({ length: 6 }, () => both.handle.hold.remote(40));
    await Promise.all(calls);
    const waits = calls.map((call) => call.explain().peerQueuedMs as number).sort((a, b) => a - b);
    expect(waits[0]).toBe(0);
    expect(waits.at(-1)).toBeGreaterThan(10);
    const own = await both.caller.serve.run(probe.bind(), { name: 'own' });
    const here = own.where.remote();
    await here;
    expect(here.explain().peerQueuedMs).toBe(undefined);
  });

  test('names the replica of a call that failed, and of a stream', async () => {
    const failing = both.handle.fail.remote('no');
    await expect(failing).rejects.toThrow('no');
    expect(failing.explain()).toMatchObject({ state: 'error', replica: expect.stringMatching(/^Probe#/) });
    const stream = await both.handle.count.remote(3);
    for await (const _ of stream);
    expect(stream.explain()).toMatchObject({ state: 'ok', replica: expect.stringMatching(/^Probe#/) });
  });

  test('is the same in a replica of this instance', async () => {
    const calls = await both.caller.serve.run(front.bind(), { name: 'front' });
    const { replica, about } = await (calls as DeploymentHandle<Front>).explained.remote(5);
    const instance = both.host.serve.status().instance;
    expect(about).toMatchObject({ replica, instance, attempts: 1, peerQueuedMs: expect.any(Number) });
    expect(about.ranMs).toBeGreaterThanOrEqual(5);
  });
});

test(
  'the share of a canary is drawn where a call enters, whichever instance answers',
  async () => {
    await using resources = new AsyncDisposableStack();
    const hosts = [resources.use(await fleetInstance()), resources.use(await fleetInstance())];
    const addresses = await Promise.all(hosts.map(({ fleet }) => fleet.address));
    const caller = resources.use(await fleetInstance({ peers: addresses }));
    for (const [index, { serve }] of [caller, ...hosts].entries()) {
      const app = probe.options({ maxOngoingRequests: index === 0 ? 1 : 16 });
      await serve.run(app.bind(), { name: 'probe' });
      await serve.run(app.options({ version: '2' }).bind(), { name: 'probe', canary: 0.25 });
    }
    const handle = caller.serve.handle<Probe>('probe');
    const seen = new Map<string, number>();
    const draw = async (): Promise<void> => {
      const call = handle.dwell.remote(4);
      const where = `${await call} at ${call.explain().instance}`;
      seen.set(where, (seen.get(where) ?? 0) + 1);
    };
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) await Promise.all(Array.from({ length: 8 }, draw));
    };
    await eventually(async () => {
      await rounds(10);
      return seen.size === 6;
    }, START_MS);
    seen.clear();
    await rounds(100);
    const canary = [...seen].filter(([where]) => where.startsWith('probe@canary'));
    const calls = canary.reduce((sum, [, count]) => sum + count, 0);
    // Binomial: 200 with a standard deviation of 12.
    expect(calls).toBeGreaterThan(120);
    expect(calls).toBeLessThan(280);
    // Each instance answers calls of both, however seldom a busy one does.
    await eventually(async () => {
      await rounds(10);
      return seen.size === 6;
    }, START_MS);
  },
  START_MS,
);

describe('tenants', () => {
  test(
    'share the places of a peer by their weights, and are limited where their calls enter',
    async () => {
      const tenants = { byName: { heavy: { weight: 3 }, light: { weight: 1 }, small: { maxInFlight: 2 } } };
      await using both = await pair({ maxOngoingRequests: 2 }, { tenants });
      const order: string[] = [];
      const calls = ['light', 'heavy'].flatMap((tenant) => {
        const handle = both.handle.options({ tenant });
        return Array.from({ length: 120 }, () => handle.hold.remote(2).then(() => order.push(tenant)));
      });
      await Promise.all(calls);
      // While both wait, three of four places are those of the heavier one.
      const heavy = order.slice(20, 120).filter((tenant) => tenant === 'heavy').length;
      expect(heavy).toBeGreaterThan(60);
      expect(heavy).toBeLessThan(90);

      const small = both.handle.options({ tenant: 'small' });
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => small.hold.remote(20)));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      for (const outcome of outcomes.slice(2))
        expect(outcome).toMatchObject({ reason: { code: 'SERVE_BACKPRESSURE' } });
      expect(await small.hold.remote(1)).toBe(process.pid);
    },
    START_MS,
  );
});

test(
  'calls with one idempotency key share one execution at the peer, whatever instance they enter',
  async () => {
    await using both = await pair();
    const { fleet } = both.host;
    await using other = await fleetInstance({ peers: [await fleet.address] });
    const keyed = both.handle.options({ idempotencyKey: 'order-1' });
    const results = await Promise.all(Array.from({ length: 5 }, () => keyed.visit.remote()));
    const [first] = results;
    for (const result of results) expect(result).toEqual(first);
    const again = keyed.visit.remote();
    expect(await again).toEqual(first);
    const elsewhere = other.serve.handle<Probe>('probe').options({ idempotencyKey: 'order-1' });
    await eventually(() => elsewhere.where.remote().then(Boolean, () => false), START_MS);
    const [one, two] = await Promise.all([elsewhere.visit.remote(), elsewhere.visit.remote()]);
    expect([one, two]).toEqual([first, first]);
  },
  START_MS,
);

test(
  'a handle in an argument leads from the peer to wherever its deployment runs',
  async () => {
    await using host = await Member.start();
    await using caller = await fleetInstance({ peers: [host.address] });
    await caller.serve.run(probe.bind(), { name: 'home' });
    await host.tell({ type: 'peers', peers: [await caller.fleet.address] });
    const handle = caller.serve.handle<Probe>('probe');
    const home = caller.serve.handle<Probe>('home').options({ timeoutMs: 5_000, tenant: 'a' });
    await eventually(
      () =>
        handle.through.remote(home).then(
          (pid) => pid === process.pid,
          () => false,
        ),
      START_MS,
    );
    expect(await handle.through.remote(handle)).toBe(host.pid);
    const nowhere = caller.serve.handle<Probe>('nowhere');
    await expect(handle.through.remote(nowhere)).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
  },
  START_MS,
);

test(
  'the remaining time travels less half of the round trip; what expires on the way is not run',
  async () => {
    const through = async (targetPort: number): Promise<ChaosProxy> => {
      const proxy = await chaosProxy({ targetPort });
      proxy.set({ latencyMs: 200 });
      return proxy;
    };
    await using both = await pair({}, {}, through);
    const { handle } = both;
    await eventually(async () => {
      const left = (await handle.options({ timeoutMs: 60_000 }).remaining.remote()) as number;
      return left < 59_850;
    }, START_MS);
    const { visits } = await handle.visit.remote();
    const late = handle.options({ timeoutMs: 150 }).visit.remote();
    await expect(late).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect((await handle.visit.remote()).visits).toBe(visits + 1);
  },
  START_MS,
);
