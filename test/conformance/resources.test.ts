import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DeploymentOptions, DeploymentReport, Serve } from '../../src/index.ts';
import { ELASTIC, elastic } from '../fixtures/load/autoscaling.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually, status } from '../support/until.ts';

const bind = (options: DeploymentOptions, shared = new Shared()) =>
  elastic.options(options).bind(shared.buffer);

function report(serve: Serve, name = 'Elastic'): DeploymentReport {
  const found = serve.status().apps[name]?.deployments[name];
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

const reserved = (serve: Serve, resource: string): unknown =>
  serve.status().instances[0]?.resources[resource];

describe('resources', () => {
  test('replicas that fit run, the others are pending with the reason, and come when there is room', async () => {
    await using serve = quietServe({ resources: { cpus: 1, slots: 2 } });
    await serve.run(bind({ numReplicas: 3, resources: { slots: 0.5 } }));
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    const other = { name: 'Other', numReplicas: 2, resources: { slots: 0.5 } };
    await serve.run(bind(other), { routePrefix: null });
    await eventually(() => report(serve, 'Other').replicaStates['RUNNING'] === 1);
    expect(report(serve, 'Other')).toMatchObject({
      status: 'UPSCALING',
      targetReplicas: 2,
      pending: { replicas: 1, reason: 'a replica needs 0.5 slots where 0 are free here' },
    });
    expect(reserved(serve, 'slots')).toEqual({ total: 2, reserved: 2 });
    await serve.delete('Elastic');
    await status(serve, 'Other', 'Other', 'HEALTHY');
    expect(report(serve, 'Other').pending).toBeUndefined();
    expect(reserved(serve, 'slots')).toEqual({ total: 2, reserved: 1 });
  });

  test('a deployment that fits nowhere has failed after a while, and recovers once it fits', async () => {
    await using serve = quietServe({ resources: { slots: 1 } });
    await serve.run(bind({ name: 'First', resources: { slots: 1 } }), { routePrefix: null });
    const late = serve.run(bind({ resources: { slots: 0.1 }, pendingTimeoutMs: 300 }));
    const waiting = serve.handle<typeof import('../fixtures/load/autoscaling.ts').Elastic>('Elastic');
    const call = waiting.remote();
    const failure = {
      code: 'SERVE_DEPLOY_FAILED',
      message: 'Elastic: no replica could be placed: a replica needs 0.1 slots where 0 are free here',
    };
    await expect(late).rejects.toMatchObject(failure);
    await expect(call).rejects.toMatchObject(failure);
    expect(report(serve).status).toBe('DEPLOY_FAILED');
    await serve.delete('First');
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    expect(await waiting.remote()).toMatch(/^Elastic#/);
  });

  test.each([1, 2])(
    'an update without room for one replica more goes by maxUnavailable: %d replicas',
    async (n) => {
      await using serve = quietServe({ resources: { slots: n } });
      const at = (version: string) =>
        bind({
          version,
          numReplicas: n,
          resources: { slots: 1 },
          rollout: { maxUnavailable: 1 / n },
          pendingTimeoutMs: 5_000,
        });
      await serve.run(at('v1'));
      await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
      await serve.run(at('v2'));
      await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
      expect(report(serve).replicas.map(({ version }) => version)).toEqual(Array(n).fill('v2'));
    },
  );

  test('an update that has no room, and may not make any, fails; the old version serves on', async () => {
    await using serve = quietServe({ resources: { slots: 1 } });
    const at = (version: string) => bind({ version, resources: { slots: 1 }, pendingTimeoutMs: 300 });
    const handle = await serve.run(at('v1'));
    const before = await handle.remote();
    await expect(serve.run(at('v2'))).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('a replica needs 1 slots where 0 are free here'),
    });
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    expect(await handle.remote()).toBe(before);
    expect(report(serve)).toMatchObject({ pending: undefined, replicas: [{ version: 'v1' }] });
  });

  test('maxReplicasPerInstance', async () => {
    await using serve = quietServe();
    await serve.run(bind({ numReplicas: 3, maxReplicasPerInstance: 2 }));
    await eventually(() => report(serve).replicaStates['RUNNING'] === 2);
    expect(report(serve).pending).toEqual({
      replicas: 1,
      reason: 'maxReplicasPerInstance (2) is reached here',
    });
  });

  test('a replica with gpus is told which', async () => {
    await using serve = quietServe({ resources: { gpus: 2 } });
    const whole = await serve.run(bind({ resources: { gpus: 1 } }));
    const half = { name: 'Half', numReplicas: 2, resources: { gpus: 0.5 } };
    const shared = await serve.run(bind(half), { routePrefix: null });
    await status(serve, 'Half', 'Half', 'HEALTHY');
    expect(await whole.variable.remote('CUDA_VISIBLE_DEVICES')).toBe('0');
    expect(await shared.broadcast('variable', 'CUDA_VISIBLE_DEVICES')).toEqual(['1', '1']);
    expect(reserved(serve, 'gpus')).toEqual({ total: 2, reserved: 2 });
    expect(await whole.gpus.remote()).toEqual({ inCall: [0], constructed: [0] });
    expect((await shared.broadcast('gpus')).map(({ inCall }) => inCall)).toEqual([[1], [1]]);
  });

  test('gpus are numbered as native code of the process knows them', async () => {
    // The process sees two devices, which are 0 and 1 to CUDA in it.
    vi.stubEnv('CUDA_VISIBLE_DEVICES', 'GPU-8f2a,5');
    onTestFinished(() => void vi.unstubAllEnvs());
    await using serve = quietServe();
    const handle = await serve.run(bind({ resources: { gpus: 2 } }));
    expect(await handle.variable.remote('CUDA_VISIBLE_DEVICES')).toBe('GPU-8f2a,5');
    expect(await handle.gpus.remote()).toEqual({ inCall: [0, 1], constructed: [0, 1] });
  });

  test('a replica that dies gives back what it had', async () => {
    await using serve = quietServe({ resources: { slots: 1 } });
    const shared = new Shared();
    const handle = await serve.run(bind({ resources: { slots: 1 } }, shared));
    await handle.exit.remote().catch(() => {});
    await shared.atLeast(ELASTIC.constructed, 2);
    expect(await handle.remote()).toMatch(/^Elastic#/);
  });

  test('one record when replicas exceed the cpus and none are reserved, whose advice can be followed', async () => {
    await using serve = quietServe({ resources: { cpus: 1 } });
    const told = () =>
      serve.log.records.filter(({ message }) => message.startsWith('more replicas than cpus'));
    await serve.run(bind({ numReplicas: 1, resources: { cpus: 0.5 } }));
    await serve.run(bind({ name: 'One' }), { routePrefix: null });
    expect(told()).toEqual([]);
    await serve.run(bind({ name: 'Two', numReplicas: 2 }), { routePrefix: null });
    await serve.run(bind({ name: 'Two', numReplicas: 3 }), { routePrefix: null });
    expect(told()).toMatchObject([{ level: 'info', fields: { replicas: 3, cpus: 1 } }]);
    const advised = Number(/at most ([\d.]+)$/.exec(told()[0]?.message ?? '')?.[1]);
    await serve.run(bind({ name: 'One', resources: { cpus: advised } }), { routePrefix: null });
    await serve.run(bind({ name: 'Two', numReplicas: 2, resources: { cpus: advised } }), {
      routePrefix: null,
    });
    await status(serve, 'Two', 'Two', 'HEALTHY');
    expect(serve.status().apps['Two']?.deployments['Two']?.pending).toBeUndefined();
  });

  test.each<[string, object]>([
    ['deployment.resources.cpus: got -1; allowed: a number from 0', { resources: { cpus: -1 } }],
    [
      'deployment.resources.gpus: got 1.5; allowed: a fraction of one device, or a whole number',
      { resources: { gpus: 1.5 } },
    ],
    [
      'deployment.resources.cpus: got 0.00001; allowed: 0, or at least 0.0001',
      { resources: { cpus: 0.00001 } },
    ],
    ['deployment.resources name: got "a b"', { resources: { 'a b': 1 } }],
    [
      "deployment.resources: got an object; allowed: not to be set with isolation 'inline'",
      { resources: { cpus: 1 }, isolation: 'inline' },
    ],
    ['deployment.maxReplicasPerInstance: got 0', { maxReplicasPerInstance: 0 }],
  ])('%s', (message, options) => {
    expect(() => elastic.options(options)).toThrow(message);
  });

  test('an instance has whole gpus', () => {
    expect(() => quietServe({ resources: { gpus: 0.5 } })).toThrow(
      'createServe.resources.gpus: got 0.5; allowed: a whole number',
    );
  });
});
