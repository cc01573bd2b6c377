import { expect, test } from 'vitest';
import { chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { type FleetApp, FleetApps, underRequests } from '../../support/fleet/apps.ts';
import { describeWithRedis } from '../../support/fleet/redis-server.ts';
import { RestartingRedis } from '../../support/fleet/restarting-redis.ts';
import type { Outcomes } from '../../support/steady-load.ts';
import { eventually } from '../../support/until.ts';

interface Scene extends AsyncDisposable {
  readonly redis: RestartingRedis;
  readonly fleet: FleetApps;
  readonly before: readonly string[];
  readonly leader: FleetApp;
}

/** A fleet of three at rest, with three replicas. */
async function scene(): Promise<Scene> {
  const redis = await RestartingRedis.start();
  const fleet = new FleetApps(redis.url);
  await fleet.addMany(3);
  const before = await fleet.balanced(3);
  const leader = await fleet.leader();
  return {
    ...{ redis, fleet, before, leader },
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves once an order is carried out, which shows that the control works. */
async function isControlled({ fleet }: Scene): Promise<void> {
  const [app] = fleet.alive;
  await eventually(
    () =>
      (app as FleetApp).tell({ type: 'scale', replicas: 4 }).then(
        () => true,
        () => false,
      ),
    180_000,
  );
  await fleet.settled(4);
}

/**
 * Requests go on while Redis is as a fault makes it: none fails, and every replica that ran still runs. Then the fleet
 * takes an order.
 */
async function undisturbed(at: Scene, fault: (outcomes: Outcomes) => Promise<unknown>): Promise<void> {
  const outcomes = await underRequests(at.fleet.alive, async (so) => {
    await eventually(() => so.ok > 50);
    await fault(so);
    expect(await at.fleet.replicas()).toEqual(at.before);
    await isControlled(at);
    const served = so.ok;
    await eventually(() => so.ok > served + 50);
  });
  expect(outcomes.errors).toEqual([]);
  expect((await at.fleet.replicas()).filter((id) => at.before.includes(id))).toEqual(at.before);
}

/** What becomes of Redis, rows 15–23 of the fault table, with processes. Times of the protocol are a fifth. */
describeWithRedis('the Redis of a fleet', () => {
  test('is frozen: all serve on, orders fail soon, and work again once it thaws', async () => {
    await using at = await scene();
    await undisturbed(at, async () => {
      at.redis.freeze();
      await eventually(async () => (await at.leader.status()).fleet?.redis === 'down', 60_000);
      const order = at.leader.tell({ type: 'scale', replicas: 2 });
      await expect(order).rejects.toThrow('not reachable');
      await pause(10_000);
      at.redis.thaw();
    });
  });

  test('is gone for long and comes back empty: nothing is stopped, and the last order still holds', async () => {
    await using at = await scene();
    await at.leader.tell({ type: 'scale', replicas: 4 });
    const before = await at.fleet.balanced(4);
    await undisturbed({ ...at, before }, async () => {
      await at.redis.kill();
      await pause(24_000);
      await at.redis.restartEmpty();
      await eventually(async () => {
        const all = await Promise.all(at.fleet.alive.map((app) => app.status()));
        return all.every(({ fleet }) => fleet?.redis === 'up' && fleet.generation >= 1);
      }, 180_000);
    });
  });

  test('fails over with lost writes: the newest order and rising tokens win', async () => {
    await using at = await scene();
    const { fleet: first } = await at.leader.status();
    await at.redis.save();
    await at.leader.tell({ type: 'scale', replicas: 4 });
    const before = await at.fleet.balanced(4);
    await undisturbed({ ...at, before }, async () => {
      await at.redis.restartFromSave();
      await eventually(async () => {
        const all = await Promise.all(at.fleet.alive.map((app) => app.status()));
        return all.every(({ fleet }) => fleet?.redis === 'up' && fleet.generation >= 1);
      }, 180_000);
      await at.fleet.leader();
    });
    expect((await (await at.fleet.leader()).status()).fleet?.token).toBeGreaterThanOrEqual(first?.token ?? 0);
  });

  test.each(['a forged lease', 'no lease', 'nothing at all'])('holds %s', async (kind) => {
    await using at = await scene();
    const lease = `inserve:{${at.fleet.name}}:lease`;
    await undisturbed(at, () =>
      at.redis.run(async (client) => {
        if (kind === 'nothing at all') await client.flushall();
        else await client.del(lease);
        if (kind === 'a forged lease') await client.hset(lease, { o: 'nobody#1', t: `${2 ** 53}` });
      }),
    );
  });

  test.each(['CLIENT PAUSE', 'DEBUG SLEEP'])('stands still by %s', async (kind) => {
    await using at = await scene();
    await undisturbed(at, async () => {
      const sent = at.redis.run((client) =>
        kind === 'CLIENT PAUSE'
          ? client.call('CLIENT', 'PAUSE', '5000', 'ALL')
          : client.call('DEBUG', 'SLEEP', '4'),
      );
      await pause(6_000);
      await sent.catch(() => {});
    });
  });

  test('has no memory left: members stay, and the fleet is told once what is wrong', async () => {
    await using at = await scene();
    await undisturbed(at, async () => {
      // Less than an empty Redis uses, or its size would decide.
      await at.redis.run((client) => client.config('SET', 'maxmemory', '1'));
      await pause(6_000);
      await expect(at.leader.tell({ type: 'scale', replicas: 2 })).rejects.toThrow('out-of-memory');
      const { instances } = await at.leader.status();
      expect(instances.map(({ state }) => state)).toEqual(['UP', 'UP', 'UP']);
      await at.redis.run((client) => client.config('SET', 'maxmemory', '0'));
    });
  });

  test('refuses a member for many reasons: each is told by its name, and none stops a replica', async () => {
    await using at = await scene();
    await undisturbed(at, async () => {
      await at.redis.run((client) => client.call('ACL', 'SETUSER', 'member', '-evalsha', '-eval'));
      await pause(3_000);
      await at.redis.run((client) => client.call('ACL', 'SETUSER', 'member', '+evalsha', '+eval'));
      await at.redis.run((client) => client.replicaof('127.0.0.1', 1));
      await pause(3_000);
      await at.redis.run((client) => client.replicaof('NO', 'ONE'));
    });
    const faults = (
      await Promise.all(at.fleet.alive.map((app) => app.tell<string[]>({ type: 'faults' })))
    ).flat();
    expect(faults.join('\n')).toContain('no-permission');
    expect(faults.join('\n')).toContain('read-only');
  });

  test('is apart from one instance, which peers keep and which gets new plans', async () => {
    await using at = await scene();
    await using proxy = await chaosProxy({ targetPort: at.redis.port });
    const redis = at.redis.url.replace(`:${at.redis.port}`, `:${proxy.port}`);
    const apart = await at.fleet.add({ redis });
    await at.fleet.settled(3);
    const outcomes = await underRequests(at.fleet.alive, async () => {
      proxy.set({ stall: true });
      proxy.reset();
      await eventually(async () => (await apart.status()).fleet?.redis === 'down', 60_000);
      await pause(6_000);
      await at.leader.tell({ type: 'scale', replicas: 8 });
      await at.fleet.balanced(8);
      const { instances } = await at.leader.status();
      expect(instances.find(({ id }) => id === apart.instance)?.state).toBe('UP');
      proxy.heal();
      await eventually(async () => (await apart.status()).fleet?.redis === 'up', 60_000);
    });
    expect(outcomes.errors).toEqual([]);
    expect(await apart.replicas()).toHaveLength(2);
  });

  test('is away while eight instances start: each serves alone, and the surplus goes once it is there', async () => {
    await using redis = await RestartingRedis.start();
    await redis.kill();
    await using fleet = new FleetApps(redis.url, { options: { numReplicas: 2 } });
    await fleet.addMany(8);
    await eventually(async () => (await fleet.replicas()).length === 16, 120_000);
    const outcomes = await underRequests(fleet.alive, async () => {
      await redis.restartEmpty();
      await fleet.settled(2);
      await fleet.leader();
    });
    expect(outcomes.errors).toEqual([]);
  });
});
