import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { ServeEvents } from '../../../src/index.ts';
import { type Basic, basic } from '../../fixtures/calls/basic.ts';
import { type Clock, utc } from '../../fixtures/updates/configured.ts';
import { type Release, release } from '../../fixtures/updates/releases.ts';
import type { FleetInstance } from '../../support/fleet/instances.ts';
import { clockConfig, labels, pair, running, total } from '../../support/fleet/ordering.ts';
import { RedisFleet } from '../../support/fleet/redis-fleet.ts';
import { describeWithRedis } from '../../support/fleet/redis-server.ts';
import { eventually } from '../../support/until.ts';

describeWithRedis('orders to a fleet', () => {
  test('a config that is deployed on one instance holds on all, also on those that come later', async () => {
    await using fleet = await RedisFleet.start();
    const all = await pair(fleet, (serve) => serve.run(utc, { name: 'clock', routePrefix: '/clock' }));
    const [one, other] = all;
    await one.serve.deploy(clockConfig({ name: 'Clock', numReplicas: 4, userConfig: { tick: 1 } }));
    await eventually(() => all.every((instance) => running(instance, 'clock', 'Clock') === 2));
    const configs = async ({ serve }: FleetInstance): Promise<unknown[]> => {
      const handle = serve.handle<typeof Clock>('clock').options({ preferLocal: true });
      return [(await handle.remote()).config];
    };
    for (const instance of all) await eventually(async () => Object(await configs(instance))[0]?.tick === 1);

    const late = await fleet.add({ version: '1' });
    await late.serve.run(utc, { name: 'clock', routePrefix: '/clock' });
    await other.serve.scale('clock', 'Clock', 6);
    await eventually(() => [...all, late].every((instance) => running(instance, 'clock', 'Clock') === 2));
    await eventually(async () => Object(await configs(late))[0]?.tick === 1);

    // What the next config leaves out is again as the code says.
    await other.serve.deploy(clockConfig({ name: 'Clock', numReplicas: 3 }));
    await eventually(() => total([...all, late], 'clock', 'Clock') === 3);
    for (const instance of [...all, late])
      await eventually(async () => (await configs(instance))[0] === undefined);
    expect([...all, late].flatMap(({ log }) => log.records).filter(({ level }) => level === 'error')).toEqual(
      [],
    );
  });

  test('an order after a refused one says why Redis refuses it, and is taken as soon as Redis takes it', async () => {
    await using fleet = await RedisFleet.start();
    const { serve } = await fleet.add();
    await serve.run(utc, { name: 'clock', routePrefix: '/clock' });
    await serve.deploy(clockConfig({ name: 'Clock', numReplicas: 1 }));
    const redis = new Redis(fleet.redis.adminUrl);
    try {
      await redis.config('SET', 'maxmemory', '1');
      for (let attempt = 0; attempt < 10; attempt++)
        await expect(serve.deploy(clockConfig({ name: 'Clock', numReplicas: 2 }))).rejects.toMatchObject({
          code: 'SERVE_UNAVAILABLE',
          message: 'the store answered: out-of-memory',
        });
      await redis.config('SET', 'maxmemory', '0');
      await serve.deploy(clockConfig({ name: 'Clock', numReplicas: 2 }));
    } finally {
      redis.disconnect();
    }
  });

  test('a config for a fleet has no secrets and no functions', async () => {
    await using fleet = await RedisFleet.start();
    const { serve } = await fleet.add();
    const refused = [{ env: { KEY: 'secret' } }, { autoscaling: { maxReplicas: 2, policy: () => 1 } }];
    for (const options of refused)
      await expect(serve.deploy(clockConfig({ name: 'Clock', ...options }))).rejects.toMatchObject({
        code: 'SERVE_INVALID_OPTION',
      });
  });

  test('a canary of one instance gets its share of the calls of all, and is promoted from another', async () => {
    await using fleet = await RedisFleet.start();
    const app = release.options({ numReplicas: 2 });
    const all = await pair(fleet, (serve) => serve.run(app.bind({ label: 'v1' }), { name: 'app' }));
    const [one, other] = all;
    await one.serve.run(app.bind({ label: 'v2' }), { name: 'app', canary: 0.5 });
    for (const instance of all) await eventually(async () => (await labels(instance, 20)).has('v2'));
    await other.serve.promote('app');
    // The instance that has the new version runs it; the other one has only its own code, and no trial any more.
    await eventually(() => Object.keys(one.serve.status().apps).join() === 'app');
    const here = one.serve.handle<typeof Release>('app').options({ preferLocal: true });
    await eventually(async () => (await here.remote()).label === 'v2');
    const there = other.serve.handle<typeof Release>('app').options({ preferLocal: true });
    await eventually(async () => (await there.remote()).label === 'v1');
  });

  test('a rollback can be ordered by an instance without the app, and by one without an earlier version', async () => {
    await using fleet = await RedisFleet.start();
    const all = await pair(fleet, async (serve) => {
      await serve.run(release.bind({ label: 'v1' }), { name: 'app' });
      await serve.run(release.bind({ label: 'v2' }), { name: 'app' });
    });
    const labelHere = async ({ serve }: FleetInstance): Promise<string> =>
      (await serve.handle<typeof Release>('app').options({ preferLocal: true }).remote()).label;
    const late = await fleet.add({ version: '1' });
    await eventually(() => (late.serve.status().fleet?.plan ?? 0) > 0);
    // A first plan may come before the app of the others is part of one.
    await eventually(() =>
      late.serve.rollback('app').then(
        () => true,
        () => false,
      ),
    );
    for (const instance of all) await eventually(async () => (await labelHere(instance)) === 'v1');

    await late.serve.run(release.bind({ label: 'v1' }), { name: 'app' });
    await late.serve.rollback('app');
    for (const instance of all) await eventually(async () => (await labelHere(instance)) === 'v2');
    await expect(late.serve.rollback('nothing')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
  });

  test('a rollback of an app that has no earlier version on any instance fails', async () => {
    await using fleet = await RedisFleet.start();
    const all = await pair(fleet, (serve) => serve.run(release.bind({ label: 'v1' }), { name: 'app' }));
    const bare = await fleet.add();
    await eventually(() => bare.serve.status().instances.length === 3);
    for (const { serve } of [...all, bare])
      await eventually(() =>
        serve.rollback('app').then(
          () => false,
          (error) => error.code === 'SERVE_NOT_FOUND' && error.message.includes('no earlier version'),
        ),
      );
    // An update that the others hear of only now is rolled back.
    const [one, other] = all;
    await one.serve.run(release.bind({ label: 'v2' }), { name: 'app' });
    await other.serve.rollback('app');
    const here = one.serve.handle<typeof Release>('app').options({ preferLocal: true });
    await eventually(async () => (await here.remote()).label === 'v1');
  });

  test('the instance that leads says what the autoscaling of the fleet decided', async () => {
    await using fleet = await RedisFleet.start();
    const autoscaling = { minReplicas: 1, maxReplicas: 3, targetOngoingRequests: 1, upscaleDelayMs: 0 };
    const app = basic.options({ autoscaling }).bind();
    const all = await pair(fleet, (serve) => serve.run(app, { name: 'basic' }));
    const told = all.map(() => [] as ServeEvents['scaling'][]);
    for (const [index, { serve }] of all.entries()) serve.on('scaling', (data) => told[index]?.push(data));
    const { serve } = all[0];
    await eventually(() => serve.status().leader !== undefined);
    const leads = all.findIndex(
      (instance) => instance.serve.status().leader === instance.serve.status().instance,
    );
    const abort = new AbortController();
    const handle = serve.handle<Basic>('basic').options({ signal: abort.signal });
    const calls = Array.from({ length: 6 }, () => handle.echoLater.remote(0, 60_000));
    await eventually(() => total(all, 'basic', 'Basic') === 3);
    abort.abort();
    await Promise.allSettled(calls);
    expect(told[leads]?.[0]).toMatchObject({ app: 'basic', deployment: 'Basic', from: 1 });
    expect(told[leads]?.at(-1)?.to).toBe(3);
    expect(told[1 - leads]).toEqual([]);
    const scalingOf = (index: number) =>
      all[index]?.serve.status().apps['basic']?.deployments['Basic']?.scaling;
    expect(scalingOf(leads)).toMatchObject({ to: 3, inputs: { bounds: { max: 3 } } });
    expect(scalingOf(1 - leads)).toBe(undefined);
  });
});
