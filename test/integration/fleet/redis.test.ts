import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FleetOptions } from '../../../src/cluster/fleet-options.ts';
import type { DeploymentReport } from '../../../src/controller/status.ts';
import type { Serve } from '../../../src/index.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { TEST_TIMING } from '../../support/fleet/redis-fleet.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { eventually } from '../../support/until.ts';

let fleets = 0;

describeWithRedis('instances that find each other in Redis', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis[Symbol.asyncDispose]());

  /** Makes an instance of a fleet that runs the probe. */
  async function join(
    name: string,
    numReplicas: number,
    settings: Partial<FleetOptions> = {},
  ): Promise<FleetInstance> {
    const membership = { redis: { url: redis.url }, zone: '', timing: TEST_TIMING };
    const instance = await fleetInstance({ name, membership, ...settings });
    await instance.serve.run(probe.options({ numReplicas, maxOngoingRequests: 4 }).bind(), { name: 'probe' });
    return instance;
  }

  async function together(
    count: number,
    numReplicas: number,
  ): Promise<AsyncDisposable & { all: FleetInstance[] }> {
    const name = `fleet-${++fleets}`;
    const all = await Promise.all(Array.from({ length: count }, () => join(name, numReplicas)));
    return {
      all,
      async [Symbol.asyncDispose]() {
        await Promise.all(all.map(({ serve }) => serve.close({ timeoutMs: 500 })));
      },
    };
  }

  test('elect one leader and share the replicas, which all of them call', async () => {
    await using fleet = await together(3, 3);
    await eventually(() => fleet.all.every(({ serve }) => running(serve) === 1));
    const isUp = ({ serve }: FleetInstance): boolean =>
      serve.status().instances.filter(({ state }) => state === 'UP').length === 3;
    await eventually(() => fleet.all.every(isUp));
    const reports = fleet.all.map(({ serve }) => serve.status());
    const leaders = new Set(reports.map(({ leader }) => leader));
    expect(leaders.size).toBe(1);
    expect(reports.map(({ instance }) => instance)).toContain([...leaders][0]);
    for (const { serve } of fleet.all)
      await eventually(() => report(serve)?.fleet?.targetReplicas === 3 && total(serve) === 3);
    const [first] = reports;
    expect(first).toMatchObject({ fleet: { redis: 'up', leader: first?.leader, generation: 0 } });

    // Twelve places in all: more than one instance has.
    const handle = fleet.all[0]?.serve.handle<Probe>('probe');
    await Promise.all(Array.from({ length: 12 }, () => handle?.hold.remote(300)));
  });

  test('move the replicas of one that leaves, without losing a call', async () => {
    await using fleet = await together(2, 2);
    const [stays, leaves] = fleet.all as [FleetInstance, FleetInstance];
    await eventually(() => running(stays.serve) === 1 && running(leaves.serve) === 1);
    const handle = stays.serve.handle<Probe>('probe');
    let isOver = false;
    let served = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await handle.hold.remote(5);
        served++;
      }
    });
    await leaves.serve.close();
    await eventually(() => running(stays.serve) === 2);
    isOver = true;
    await Promise.all(load);
    expect(served).toBeGreaterThan(0);
    await eventually(() => stays.serve.status().leader === stays.serve.status().instance);
  });

  test('reach each other where they listen at all interfaces, and serve what runs elsewhere', async () => {
    const name = `fleet-${++fleets}`;
    const listen = { host: '0.0.0.0', port: 0 };
    const all = await Promise.all([1, 2].map(() => join(name, 1, { listen })));
    await using disposables = new AsyncDisposableStack();
    for (const instance of all) disposables.use(instance);
    await Promise.all(all.map(({ serve }) => serve.handle<Probe>('probe').where.remote()));
    expect(all.map(({ serve }) => serve.ready())).toEqual([true, true]);
    expect(all.map(({ serve }) => running(serve)).sort()).toEqual([0, 1]);
    expect(all.map(({ fleet }) => fleet.peers.length)).toContain(1);
  });

  test('run what they declare where the fleet thread cannot join, and refuse orders', async () => {
    const module = 'data:text/javascript,throw new Error("no client")';
    const timing = { ...TEST_TIMING, aloneMs: 300 };
    await using instance = await join(`fleet-${++fleets}`, 2, {
      membership: { redis: { module }, zone: '', timing },
    });
    expect(running(instance.serve)).toBeGreaterThan(0);
    const order = instance.serve.scale('probe', 'Probe', 3);
    await expect(order).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    const message = expect.stringContaining('the fleet cannot be joined: no client');
    expect(instance.log.records).toContainEqual(expect.objectContaining({ message }));
  });

  test('take an order from any of them', async () => {
    await using fleet = await together(2, 2);
    const [one, other] = fleet.all as [FleetInstance, FleetInstance];
    await eventually(() => running(one.serve) === 1 && running(other.serve) === 1);
    await one.serve.scale('probe', 'Probe', 4);
    await eventually(() => running(one.serve) === 2 && running(other.serve) === 2);
    await other.serve.scale('probe', 'Probe', 2);
    await eventually(() => running(one.serve) + running(other.serve) === 2);
    await eventually(() => (other.serve.status().fleet?.generation ?? 0) >= 2);

    await other.serve.delete('probe');
    await eventually(() => one.serve.status().apps['probe'] === undefined);
  });
});

function report(serve: Serve): DeploymentReport | undefined {
  return serve.status().apps['probe']?.deployments['Probe'];
}

/** Replicas of the probe that run in the instance. */
function running(serve: Serve): number {
  return report(serve)?.replicaStates['RUNNING'] ?? 0;
}

/** Replicas of the probe that run in the fleet, as the instance sees it. */
function total(serve: Serve): number {
  return Object.values(report(serve)?.fleet?.running ?? {}).reduce((sum, count) => sum + count, 0);
}
