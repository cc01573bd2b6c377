import { describe, expect, test } from 'vitest';
import type { DeploymentOptions, DeploymentReport, ReplicaStatus, Serve } from '../../src/index.ts';
import { LOOPER, looper, RELEASE, type Release, release, storefront } from '../fixtures/updates/releases.ts';
import { share } from '../support/long-run.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { steadyLoad } from '../support/steady-load.ts';
import { event, eventually, status } from '../support/until.ts';

function report(serve: Serve, deployment = 'Release'): DeploymentReport {
  const found = serve.status().apps['app']?.deployments[deployment];
  if (found === undefined) throw new Error(`no ${deployment}`);
  return found;
}

/** Those that have not been told to stop. */
const ids = (replicas: readonly ReplicaStatus[]): string[] =>
  replicas
    .filter(({ state }) => state !== 'STOPPING')
    .map(({ id }) => id)
    .sort();

const APP = { name: 'app' };

/** Ray Serve's behaviours 3–5 and 59, with surge, health gate and rollback on top. */
describe('updates in place', () => {
  test('3: another userConfig reaches every replica, and they stay the same', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const at = (userConfig: unknown) =>
      release.options({ numReplicas: 2, userConfig }).bind({ label: 'v1', shared: shared.buffer });
    const handle = await serve.run(at({ language: 'de' }), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const before = report(serve);
    await serve.run(at({ language: 'fr' }), APP);
    expect(ids(report(serve).replicas)).toEqual(ids(before.replicas));
    expect(shared.get(RELEASE.reconfigured)).toBe(4);
    const answers = await handle.broadcast('call');
    expect(answers.map(({ config }) => config)).toEqual([{ language: 'fr' }, { language: 'fr' }]);
  });

  test('4: a config that reconfigure refuses rejects run; the old one serves on', async () => {
    await using serve = quietServe();
    const at = (userConfig: unknown) => release.options({ numReplicas: 2, userConfig }).bind({ label: 'v1' });
    const handle = await serve.run(at('good'), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const outcomes = await steadyLoad(
      4,
      async () => String((await handle.remote()).config),
      async () => {
        await expect(serve.run(at('bad'), APP)).rejects.toMatchObject({
          code: 'SERVE_DEPLOY_FAILED',
          message: expect.stringContaining('reconfigure failed: cannot use that config'),
          cause: expect.any(TypeError),
        });
        expect(report(serve).status).not.toBe('HEALTHY');
        await status(serve, 'app', 'Release', 'HEALTHY');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['good']);
    expect(report(serve).message).toContain('rolled back');
    expect((await handle.broadcast('call')).map(({ config }) => config)).toEqual(['good', 'good']);
  });

  test('a config that is taken away makes new replicas, surge first: reconfigure is not told of nothing', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const args = { label: 'v1', shared: shared.buffer };
    const handle = await serve.run(release.options({ numReplicas: 2, userConfig: 'set' }).bind(args), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const before = ids(report(serve).replicas);
    let fewest = Infinity;
    serve.on('replica', () => {
      fewest = Math.min(fewest, report(serve).replicaStates['RUNNING'] ?? 0);
    });
    await serve.run(release.options({ numReplicas: 2 }).bind(args), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    expect((await handle.broadcast('call')).map(({ config }) => config)).toEqual([undefined, undefined]);
    expect(ids(report(serve).replicas).filter((id) => before.includes(id))).toEqual([]);
    expect(fewest).toBeGreaterThanOrEqual(2);
    expect(shared.get(RELEASE.reconfigured)).toBe(2);
  });

  test('5: replicas come and go in place: 2 → 4 → 1', async () => {
    await using serve = quietServe();
    const statuses: string[] = [];
    serve.on('deployment', (data) => statuses.push(data.status));
    const at = (numReplicas: number) => release.options({ numReplicas }).bind({ label: 'v1' });
    await serve.run(at(2), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const before = ids(report(serve).replicas);
    await serve.run(at(4), APP);
    expect(ids(report(serve).replicas)).toEqual(expect.arrayContaining(before));
    expect(report(serve).replicaStates).toEqual({ RUNNING: 4 });
    await serve.run(at(1), APP);
    await eventually(() => report(serve).replicas.length === 1);
    expect(before).toContain(report(serve).replicas[0]?.id);
    expect(statuses).toEqual(expect.arrayContaining(['UPSCALING', 'HEALTHY']));
    expect(statuses.at(-1)).toBe('HEALTHY');
  });

  test('the same app again changes nothing', async () => {
    await using serve = quietServe();
    const app = () => release.options({ numReplicas: 2, userConfig: 1 }).bind({ label: 'v1' });
    await serve.run(app(), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const before = report(serve);
    await serve.run(app(), APP);
    expect(report(serve)).toEqual(before);
  });

  test('a replica that started before the config changed gets the new one', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const at = (userConfig: string) =>
      release.options({ userConfig }).bind({ label: 'v1', start: 'blocks', shared: shared.buffer });
    const first = serve.run(at('old'), APP).catch(() => {});
    await shared.atLeast(RELEASE.constructed, 1);
    const second = serve.run(at('new'), APP);
    shared.set(RELEASE.gate, 1);
    const handle = await second;
    await first;
    await eventually(async () => (await handle.remote()).config === 'new');
    expect(shared.get(RELEASE.constructed)).toBe(1);
  });
});

describe('rolling updates', () => {
  test('surge first: no fewer replicas than before at any time, ranks dense, no call fails', async () => {
    await using serve = quietServe();
    const at = (label: string) => release.options({ numReplicas: 3 }).bind({ label });
    const handle = await serve.run(at('v1'), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    let fewest = Infinity;
    serve.on('replica', () => {
      const { replicaStates } = report(serve);
      fewest = Math.min(fewest, replicaStates['RUNNING'] ?? 0);
    });
    const outcomes = await steadyLoad(
      8,
      async () => (await handle.remote()).label,
      async () => {
        const updating = event(serve, 'deployment', (data) => data.status === 'UPDATING');
        const updated = serve.run(at('v2'), APP);
        await updating;
        await updated;
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['v1', 'v2']);
    expect(fewest).toBeGreaterThanOrEqual(3);
    const answers = await handle.broadcast('call');
    expect(answers.map(({ label }) => label)).toEqual(['v2', 'v2', 'v2']);
    const ranks = async () => (await handle.broadcast('call')).map(({ rank }) => rank).sort();
    await eventually(async () => (await ranks()).join() === '0,1,2');
  });

  test('59: new replicas that hang in their constructor take nothing from the old ones', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const at = (label: string) => release.options({ numReplicas: 5 }).bind({ label });
    const blocked = release
      .options({ numReplicas: 5 })
      .bind({ label: 'v2', start: 'blocks', shared: shared.buffer });
    const handle = await serve.run(at('v1'), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const updated = serve.run(blocked, APP);
    await shared.atLeast(RELEASE.constructed, 2);
    expect(report(serve).replicaStates).toEqual({ RUNNING: 5, STARTING: 2 });
    expect((await handle.broadcast('call')).map(({ label }) => label)).toEqual(Array(5).fill('v1'));
    shared.set(RELEASE.gate, 1);
    await updated;
    expect((await handle.broadcast('call')).map(({ label }) => label)).toEqual(Array(5).fill('v2'));
  });

  test('61: while the controller stands still calls go on, nobody is taken for dead, and the update goes on after', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const frail = release.options({ numReplicas: 2, stuckAfterMs: 1_000, stuckTerminateMs: 1_500 });
    const at = (label: string) => looper.bind(frail.bind({ label }), shared.buffer);
    const handle = await serve.run(at('v1'), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const looping = handle.loop.remote();
    await shared.atLeast(LOOPER.calls, 10);
    const ends: string[] = [];
    serve.on('replica', ({ state }) => (state === 'STUCK' || state === 'STOPPED') && ends.push(state));
    const fresh = event(serve, 'replica', ({ state }) => state === 'RUNNING');
    const updated = serve.run(at('v2'), APP);
    await fresh;
    const before = shared.get(LOOPER.calls);
    // The host's thread stands still, and the controller with it, for longer than a silent replica may live.
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const from = performance.now();
    const stoodMs = (): number => performance.now() - from;
    const goesOn = (): boolean => shared.get(LOOPER.calls) - before > 50;
    while ((!goesOn() || stoodMs() < 3_000) && stoodMs() < 30_000) Atomics.wait(cell, 0, 0, 10);
    expect(goesOn()).toBe(true);
    await updated;
    await eventually(() => report(serve).replicas.length === 2);
    await status(serve, 'app', 'Release', 'HEALTHY');
    expect(report(serve)).toMatchObject({ targetReplicas: 2, restarts: 0 });
    expect(ends).toEqual(['STOPPED', 'STOPPED']);
    shared.set(LOOPER.stop, 1);
    expect(await looping).toEqual(['v1', 'v2']);
    expect(shared.get(LOOPER.errors)).toBe(0);
  });

  const badVersions: [string, Parameters<typeof release.bind>[0], string, RegExp][] = [
    ['does not start', { label: 'v2', start: 'throws' }, 'v2: no weights', /construct failed/],
    ['fails every other call', { label: 'v2', failing: 0.5 }, 'calls failed', /new version rejected/],
    ['is ten times slower', { label: 'v2', takes: 20 }, 'medians', /new version rejected/],
  ];

  test.each(share(2, badVersions))(
    'a version that %s is taken back, and the old one never stopped',
    async (_what, bad, cause, message) => {
      await using serve = quietServe();
      const at = (args: Parameters<typeof release.bind>[0]) => release.options({ numReplicas: 2 }).bind(args);
      const handle = await serve.run(at({ label: 'v1' }), APP);
      await status(serve, 'app', 'Release', 'HEALTHY');
      const before = ids(report(serve).replicas);
      const outcomes = await steadyLoad(
        8,
        async () => (await handle.remote()).label,
        async () => {
          const error = await serve.run(at(bad), APP).catch((thrown: unknown) => thrown);
          expect(error).toMatchObject({
            code: 'SERVE_DEPLOY_FAILED',
            message: expect.stringMatching(message),
          });
          expect((error as Error).cause).toMatchObject({ message: expect.stringContaining(cause) });
          await status(serve, 'app', 'Release', 'HEALTHY');
        },
      );
      if (bad.failing === undefined) expect(outcomes.errors).toEqual([]);
      expect(ids(report(serve).replicas)).toEqual(before);
      expect(report(serve).message).toContain('rolled back');
      expect((await handle.remote()).label).toBe('v1');
    },
  );

  const hanging: [string, DeploymentOptions, string][] = [
    ['as their deadlines pass', { requestTimeoutMs: 200 }, 'calls failed'],
    ['long before their deadlines', { requestTimeoutMs: 4_000 }, 'none of its calls ended in 2 s'],
  ];

  test.each(share(1, hanging))(
    'a version whose calls hang is taken back, %s',
    async (_what, options, cause) => {
      await using serve = quietServe();
      const rollout = { observeMs: 2_000 };
      const both = release.options({ ...options, numReplicas: 2, rollout, gracefulShutdownTimeoutMs: 100 });
      const handle = await serve.run(both.bind({ label: 'v1' }), APP);
      await status(serve, 'app', 'Release', 'HEALTHY');
      const before = ids(report(serve).replicas);
      const outcomes = await steadyLoad(
        8,
        async () => (await handle.remote()).label,
        async () => {
          const error = await serve
            .run(both.bind({ label: 'v2', hangs: true }), APP)
            .catch((thrown) => thrown);
          expect(error).toMatchObject({ cause: { message: expect.stringContaining(cause) } });
          await status(serve, 'app', 'Release', 'HEALTHY');
        },
      );
      expect(new Set(outcomes.errors.map((error) => (error as { code: string }).code))).toEqual(
        new Set(['SERVE_TIMEOUT']),
      );
      expect([...outcomes.labels.keys()]).toEqual(['v1']);
      expect(ids(report(serve).replicas)).toEqual(before);
    },
  );

  test('a version that turns bad after it took over is taken back as well', async () => {
    await using serve = quietServe();
    const handle = await serve.run(release.bind({ label: 'v1' }), APP);
    await serve.run(release.bind({ label: 'v2', failing: 1 }), APP);
    const fault = event(serve, 'fault', ({ reason }) => reason === 'rollout');
    const back = event(
      serve,
      'deployment',
      (data) => data.status === 'HEALTHY' && data.message.startsWith('rolled back'),
    );
    await steadyLoad(
      2,
      async () => (await handle.remote()).label,
      () => Promise.all([fault, back]),
    );
    expect((await fault).error).toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
    expect((await handle.remote()).label).toBe('v1');
  });

  test('an inline version that fails is taken back as well', async () => {
    await using serve = quietServe();
    const inline = release.options({ isolation: 'inline' });
    const handle = await serve.run(inline.bind({ label: 'v1' }), APP);
    const fault = event(serve, 'fault', ({ reason }) => reason === 'rollout');
    await steadyLoad(
      4,
      async () => (await handle.remote()).label,
      async (so) => {
        await eventually(() => so.of('v1') > 60);
        await serve.run(inline.bind({ label: 'v2', failing: 0.5 }), APP);
        await fault;
        await eventually(() => report(serve).message.startsWith('rolled back'));
      },
    );
    expect((await fault).error).toMatchObject({
      message: expect.stringMatching(/calls failed \(before: 0 of/),
    });
    expect((await handle.remote()).label).toBe('v1');
  });

  test('without autoRollback the failure is told, and the new version stays', async () => {
    await using serve = quietServe();
    const stubborn = release.options({ rollout: { autoRollback: false } });
    await serve.run(stubborn.bind({ label: 'v1' }), APP);
    await expect(serve.run(stubborn.bind({ label: 'v2', start: 'throws' }), APP)).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
    });
    expect(report(serve).status).toBe('DEPLOY_FAILED');
    expect((await serve.handle<typeof Release>('app').remote()).label).toBe('v1');
  });

  test('without autoRollback calls that fail are told as well, and the update goes on', async () => {
    await using serve = quietServe();
    const stubborn = release.options({ numReplicas: 2, rollout: { autoRollback: false } });
    const handle = await serve.run(stubborn.bind({ label: 'v1' }), APP);
    await status(serve, 'app', 'Release', 'HEALTHY');
    const fault = event(serve, 'fault', ({ reason }) => reason === 'rollout');
    await steadyLoad(
      4,
      async () => (await handle.remote()).label,
      async () => {
        await serve.run(stubborn.bind({ label: 'v2', failing: 0.5 }), APP);
        await fault;
        await status(serve, 'app', 'Release', 'HEALTHY');
      },
    );
    expect((await fault).error).toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      cause: { message: expect.stringContaining('calls failed') },
    });
    expect(report(serve).message).toContain('new version rejected');
    const labels = (await handle.broadcast('describe')).map(({ label }) => label);
    expect(labels).toEqual(['v2', 'v2']);
  });

  test('an app goes over as a whole, or not at all', async () => {
    await using serve = quietServe();
    const at = (label: string, start?: 'throws') =>
      storefront.bind(release.bind({ label, ...(start && { start }) }), label);
    const handle = await serve.run(at('v1'), APP);
    const outcomes = await steadyLoad(
      4,
      async () => JSON.stringify(await handle.remote()),
      async () => {
        await expect(serve.run(at('v2', 'throws'), APP)).rejects.toMatchObject({ deployment: 'Release' });
        await status(serve, 'app', 'Storefront', 'HEALTHY');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect(await handle.remote()).toEqual({ label: 'v1', model: 'v1' });
    expect(ids(report(serve, 'Storefront').replicas)).toHaveLength(1);
    await serve.run(at('v3'), APP);
    expect(await handle.remote()).toEqual({ label: 'v3', model: 'v3' });
  });

  test('another update may come before the first is through', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    await serve.run(release.bind({ label: 'v1' }), APP);
    const blocked = release.bind({ label: 'v2', start: 'blocks', shared: shared.buffer });
    const second = serve.run(blocked, APP);
    const outcome = second.catch((error: unknown) => error);
    await shared.atLeast(RELEASE.constructed, 1);
    const handle = await serve.run(release.bind({ label: 'v3' }), APP);
    expect(await outcome).toMatchObject({
      code: 'SERVE_UNAVAILABLE',
      message: expect.stringContaining('superseded'),
    });
    expect((await handle.remote()).label).toBe('v3');
    shared.set(RELEASE.gate, 1);
  });
});
