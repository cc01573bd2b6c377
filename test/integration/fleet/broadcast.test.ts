import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Front, front, type Probe, probe, type Visit } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where threads start, on a busy machine. */
const START_MS = 180_000;

const resources = new AsyncDisposableStack();
let hosts: [FleetInstance, FleetInstance];
let caller: FleetInstance;
let handle: DeploymentHandle<Probe>;

async function running(peers: FleetInstance[], numReplicas: number): Promise<FleetInstance> {
  const addresses = await Promise.all(peers.map(({ fleet }) => fleet.address));
  const instance = resources.use(await fleetInstance({ peers: addresses }));
  await instance.serve.run(probe.options({ numReplicas, maxOngoingRequests: 2 }).bind(), { name: 'probe' });
  await eventually(
    () =>
      instance.serve.status().apps['probe']?.deployments['Probe']?.replicaStates['RUNNING'] === numReplicas,
    START_MS,
  );
  return instance;
}

/** Two instances with two replicas each are peers of one that has one. */
beforeAll(async () => {
  hosts = [await running([], 2), await running([], 2)];
  caller = await running(hosts, 1);
  await caller.serve.run(front.bind(), { name: 'front' });
  handle = caller.serve.handle<Probe>('probe');
  await eventually(async () => (await handle.broadcast('where')).length === 5, START_MS);
}, START_MS);

afterAll(() => resources.disposeAsync());

function namesOf(visits: readonly Visit[]): string[] {
  return visits.map(({ replica }) => replica).sort();
}

test('a broadcast reaches each replica of each instance once', async () => {
  const before = await handle.broadcast('visit');
  expect(new Set(namesOf(before)).size).toBe(5);
  const after = await handle.broadcast('visit');
  expect(namesOf(after)).toEqual(namesOf(before));
  const visitsOf = (visits: readonly Visit[], of: string): number | undefined =>
    visits.find(({ replica }) => replica === of)?.visits;
  for (const { replica, visits } of before) expect(visitsOf(after, replica)).toBe(visits + 1);
});

test('a broadcast of a replica reaches them as well', async () => {
  const replica = caller.serve.handle<Front>('front');
  const visits = await replica.visitAll.remote();
  expect(namesOf(visits)).toEqual(namesOf(await handle.broadcast('visit')));
});

test('one replica that fails is one failed outcome among the others', async () => {
  const visits = await handle.broadcast('visit');
  for (const { replica } of visits) {
    const outcomes = await handle.broadcast('failOn', replica, 'no').settled();
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(outcomes).toHaveLength(5);
    expect(reasons).toEqual([new RangeError('no')]);
    await expect(handle.broadcast('failOn', replica, 'no')).rejects.toThrow(new RangeError('no'));
  }
});

test('values come back as from single calls', async () => {
  const twice = { x: 1 };
  const value = [Buffer.from('b'), new TypeError('t'), new Map([['a', 1n]]), twice, twice];
  const results = (await handle.broadcast('echo', value)) as unknown[][];
  expect(results).toHaveLength(5);
  for (const result of results) {
    expect(result).toEqual(value);
    expect(Buffer.isBuffer(result[0])).toBe(true);
    expect(result[1]).toBeInstanceOf(TypeError);
    expect(result[3]).toBe(result[4]);
  }
});

test('replicas without a free place are called as well, and other calls go on meanwhile', async () => {
  const held = handle.broadcast('hold', 1_000);
  const more = handle.broadcast('hold', 1_000);
  const visits = await handle.broadcast('visit');
  expect(visits).toHaveLength(5);
  await Promise.all([held, more]);
  await Promise.all(Array.from({ length: 20 }, () => handle.hold.remote(1)));
});

test('deadlines and cancellation hold for all of them', async () => {
  const outcomes = await handle.options({ timeoutMs: 200 }).broadcast('hold', 3_000).settled();
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SERVE_TIMEOUT' } });
  const controller = new AbortController();
  const aborted = handle.options({ signal: controller.signal }).broadcast('hold', 3_000).settled();
  controller.abort();
  for (const outcome of await aborted)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SERVE_CANCELLED' } });
});

test('a method that streams is refused by other instances, and says why', async () => {
  const outcomes = await handle.broadcast('count', 2).settled();
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(4);
  for (const outcome of refused)
    expect(outcome).toMatchObject({
      reason: { code: 'SERVE_INVALID_OPTION', message: expect.stringContaining('Probe.count: it streams') },
    });
  for (const outcome of outcomes) {
    if (outcome.status !== 'fulfilled') continue;
    const seen: number[] = [];
    for await (const { at } of outcome.value) seen.push(at);
    expect(seen).toEqual([0, 1]);
  }
});

test('an unknown method fails at each replica', async () => {
  const unknown = handle as unknown as DeploymentHandle<{ nothing(): void }>;
  const outcomes = await unknown.broadcast('nothing').settled();
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'SERVE_UNKNOWN_METHOD' } });
});

test('an instance whose link breaks is one failed outcome', async () => {
  const [dies] = hosts;
  // The same deployment by its own name, as the ingress of its app, and as that deployment.
  const named = caller.serve.handle<Probe>('Probe', { app: 'probe' });
  expect(await named.broadcast('where')).toHaveLength(5);
  const held = handle.broadcast('hold', 2_000).settled();
  const busy = (): boolean =>
    dies.serve.status().apps['probe']?.deployments['Probe']?.replicas.every(({ ongoing }) => ongoing > 0) ===
    true;
  await eventually(busy);
  dies.fleet.destroyThread();
  const outcomes = await held;
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject([
    { reason: { code: 'SERVE_REPLICA_DIED' } },
  ]);
  for (const one of [handle, named])
    await eventually(async () => (await one.broadcast('where')).length === 5, START_MS);
});

test('a broadcast of a replica in a process brings its values as those of single calls', async () => {
  const replica = await caller.serve.run(front.options({ isolation: 'process' }).bind(), { name: 'process' });
  const value = [Buffer.from('b'), new TypeError('t'), handle] as const;
  const results = (await replica.echoAll.remote(value)) as unknown as (typeof value)[];
  expect(results).toHaveLength(5);
  for (const [buffer, error, other] of results) {
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect(error).toEqual(new TypeError('t'));
    expect(other.where.remote).toBeTypeOf('function');
  }
});
