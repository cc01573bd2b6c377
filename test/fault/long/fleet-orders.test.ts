import { expect, test } from 'vitest';
import type { AutoscalingContext, Serve } from '../../../src/index.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { ELASTIC, reporting } from '../../fixtures/load/autoscaling.ts';
import { RELEASE, release } from '../../fixtures/updates/releases.ts';
import { clockConfig, labels, pair, running, total } from '../../support/fleet/ordering.ts';
import { RedisFleet } from '../../support/fleet/redis-fleet.ts';
import { describeWithRedis } from '../../support/fleet/redis-server.ts';
import { Shared } from '../../support/shared.ts';
import { eventually } from '../../support/until.ts';

describeWithRedis('orders to a fleet', () => {
  test('an instance that starts with a config while Redis is away serves by it; one that runs refuses it', async () => {
    await using fleet = await RedisFleet.start();
    await fleet.redis.stop();
    const instance = await fleet.add();
    await instance.serve.deploy(clockConfig({ name: 'Clock', numReplicas: 2 }));
    await eventually(() => running(instance, 'clock', 'Clock') === 2);
    const again = instance.serve.deploy(clockConfig({ name: 'Clock', numReplicas: 3 }));
    await expect(again).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(running(instance, 'clock', 'Clock')).toBe(2);
  });

  test('an app is deleted everywhere by an instance that does not have it, and run again where it was', async () => {
    await using fleet = await RedisFleet.start();
    const all = await pair(fleet, (serve) => serve.run(probe.bind(), { name: 'probe' }));
    const bare = await fleet.add();
    await eventually(() =>
      bare.serve
        .handle<Probe>('probe')
        .where.remote()
        .then(
          () => true,
          () => false,
        ),
    );
    await eventually(() => bare.serve.status().fleet?.leader !== undefined);
    await bare.serve.scale('probe', 'Probe', 2);
    await eventually(() => all.every((instance) => running(instance, 'probe', 'Probe') === 1));
    await bare.serve.delete('probe');
    await eventually(() => all.every(({ serve }) => serve.status().apps['probe'] === undefined));
    // It does not wait for an instance that would run the app again.
    const late = bare.serve.handle<Probe>('probe').where.remote();
    await expect(late).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
    const [one] = all;
    await one.serve.run(probe.bind(), { name: 'probe' });
    await eventually(() => running(one, 'probe', 'Probe') >= 1);
  });

  test('the replicas leave an instance that is drained, which passes its calls on', async () => {
    await using fleet = await RedisFleet.start();
    const app = probe.options({ numReplicas: 2 }).bind();
    const [one, other] = await pair(fleet, (serve) => serve.run(app, { name: 'probe' }));
    await eventually(() => running(one, 'probe', 'Probe') === 1 && running(other, 'probe', 'Probe') === 1);
    const { instance } = one.serve.status();
    await eventually(() => other.serve.status().instances.some(({ id }) => id === instance));
    await other.serve.drain(instance);
    await eventually(() => running(one, 'probe', 'Probe') === 0 && running(other, 'probe', 'Probe') === 2);
    await one.serve.handle<Probe>('probe').where.remote();
    await other.serve.drain(instance, false);
    await one.serve.scale('probe', 'Probe', 4);
    await eventually(() => running(one, 'probe', 'Probe') === 2);
    await expect(other.serve.drain('nobody')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
  });

  test('a promoted trial is promoted on an instance that starts with it; a new version is another trial', async () => {
    await using fleet = await RedisFleet.start();
    const code = async (serve: Serve): Promise<void> => {
      await serve.run(release.bind({ label: 'v1' }), { name: 'app' });
      await serve.run(release.bind({ label: 'v2' }), { name: 'app', canary: 0.5 });
    };
    const [one, other] = await pair(fleet, code);
    await one.serve.promote('app');
    await eventually(() => Object.keys(other.serve.status().apps).join() === 'app');
    for (const instance of [one, other])
      await eventually(async () => [...(await labels(instance, 10))].join() === 'v2');
    const late = await fleet.add({ version: '1' });
    await code(late.serve);
    expect(Object.keys(late.serve.status().apps)).toEqual(['app']);
    expect(await labels(late, 10)).toEqual(new Set(['v2']));
    await late.serve.run(release.bind({ label: 'v3' }), { name: 'app', canary: 1 });
    await eventually(async () => [...(await labels(other, 1))].join() === 'v3');
    await other.serve.rollback('app');
    await eventually(() => Object.keys(late.serve.status().apps).join() === 'app');
    await eventually(async () => [...(await labels(other, 10))].join() === 'v2');
  });

  test('a trial that starts on an instance while the fleet rolls it back ends there without a failure', async () => {
    await using fleet = await RedisFleet.start();
    const { buffer } = new Shared();
    const shared = new Shared(buffer);
    shared.set(RELEASE.gate, 1);
    const first = release.options({ minReplicasPerInstance: 1 });
    const trial = first.bind({ label: 'v2', start: 'blocks', shared: buffer });
    const code = async (serve: Serve): Promise<void> => {
      await serve.run(first.bind({ label: 'v1' }), { name: 'app' });
      await serve.run(trial, { name: 'app', canary: 0.5 });
    };
    const [one] = await pair(fleet, code);
    shared.set(RELEASE.gate, 0);
    const constructed = shared.get(RELEASE.constructed);
    const late = await fleet.add({ version: '1' });
    const started = code(late.serve);
    await shared.atLeast(RELEASE.constructed, constructed + 1);
    await one.serve.rollback('app');
    await started;
    expect(Object.keys(late.serve.status().apps)).toEqual(['app']);
    expect(await labels(late, 10)).toEqual(new Set(['v1']));
  });

  test('a policy decides by the load and the values of all instances, where the leader is', async () => {
    await using fleet = await RedisFleet.start();
    const { buffer } = new Shared();
    const shared = new Shared(buffer);
    const asked: AutoscalingContext[] = [];
    const policy = (context: AutoscalingContext): number => {
      asked.push(context);
      return Math.max(...Object.values(context.aggregatedMetrics['temperature'] ?? { none: 1 }));
    };
    shared.set(ELASTIC.stats, 4);
    const autoscaling = { maxReplicas: 6, upscaleDelayMs: 0, downscaleDelayMs: 0, policy };
    const app = reporting.options({ name: 'Reporting', autoscaling }).bind(buffer);
    const all = await pair(fleet, (serve) => serve.run(app, { name: 'app' }));
    await eventually(() => all.every((instance) => running(instance, 'app', 'Reporting') === 2));
    shared.set(ELASTIC.stats, 2);
    await eventually(() => total(all, 'app', 'Reporting') === 2);
    expect(Math.max(...asked.map(({ runningReplicas }) => runningReplicas.length))).toBe(4);
    expect(asked.at(-1)).toMatchObject({ appName: 'app', deploymentName: 'Reporting' });
  });

  test('a rollback without a trial brings all instances back that had an earlier version', async () => {
    await using fleet = await RedisFleet.start();
    const all = await pair(fleet, async (serve) => {
      await serve.run(release.bind({ label: 'v1' }), { name: 'app' });
      await serve.run(release.bind({ label: 'v2' }), { name: 'app' });
    });
    const [one] = all;
    await one.serve.rollback('app');
    for (const instance of all)
      await eventually(async () => [...(await labels(instance, 10))].join() === 'v1');
  });
});
