import { describe, expect, test } from 'vitest';
import { ServeError } from '../../../src/index.ts';
import { broken, lifecycle, release, sick } from '../../fixtures/python/conformance.ts';
import { EventLog } from '../../fixtures/python/event-log.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually, status } from '../../support/until.ts';

const codeOf = (error: unknown): unknown => (error instanceof ServeError ? error.code : error);

/** Ray Serve's behaviours 12–15 and 59, with Python replicas. */
describe.skipIf(!HAS_PYTHON)('deploying Python classes (skipped without Python 3.9 or newer)', () => {
  test('12: a constructor that always fails fails the deployment, with the original error, and calls fail fast', async () => {
    await using serve = quietServe();
    const app = broken.bind();
    const error = await serve.run(app).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      statusCode: 503,
      deployment: 'Broken',
      cause: { name: 'WeightsError', message: 'no weights', code: 'E_WEIGHTS', file: 'weights.bin' },
    });
    const report = serve.status().apps['Broken'];
    expect(report).toMatchObject({ status: 'DEPLOY_FAILED', deployments: { Broken: { replicaStates: {} } } });
    expect(await serve.handle(app).remote().catch(codeOf)).toBe('SERVE_DEPLOY_FAILED');
    expect(serve.ready()).toBe(false);
    expect(serve.health()).toBe(true);
  });

  test('12: a first health check that fails, fails the start as well', async () => {
    await using serve = quietServe();
    await expect(serve.run(sick.bind())).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('checkHealth failed: no database'),
    });
  });

  test('13: a constructor that fails at first is tried again until all replicas run', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    await serve.run(lifecycle.options({ numReplicas: 2 }).bind(log.path, '', 1));
    await status(serve, 'Lifecycle', 'Lifecycle', 'HEALTHY');
    expect([log.count('failed'), log.count('constructed')]).toEqual([1, 3]);
    expect(serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.replicaStates).toEqual({ RUNNING: 2 });
  });

  test('14: a good version after a failed one recovers', async () => {
    await using serve = quietServe();
    await serve.run(broken.bind(), { name: 'app' }).catch(() => {});
    const good = lifecycle.options({ name: 'Broken' }).bind(new EventLog().path, 'good');
    const handle = await serve.run(good, { name: 'app' });
    expect(await handle.remote()).toMatchObject({ label: 'good' });
    expect(serve.status().apps['app']?.status).toBe('RUNNING');
  });

  test('14: a broken new version leaves the old one serving', async () => {
    await using serve = quietServe();
    const old = lifecycle.options({ name: 'Same' }).bind(new EventLog().path, 'old');
    const handle = await serve.run(old, { name: 'app' });
    const update = serve.run(broken.options({ name: 'Same' }).bind(), { name: 'app' });
    await expect(update).rejects.toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
    expect(await handle.remote()).toMatchObject({ label: 'old' });
    await eventually(() => serve.status().apps['app']?.status === 'RUNNING');
    expect(serve.status().apps['app']?.deployments['Same']?.message).toContain('rolled back');
  });

  test('15: calls in flight finish when their app is deleted, new ones are refused', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(lifecycle.bind(log.path, 'held'));
    const held = handle.hold.remote();
    await log.until('started');
    const deleted = serve.delete('Lifecycle');
    await expect(handle.remote()).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE', statusCode: 503 });
    log.add('gate');
    expect(await held).toBe('held');
    await deleted;
    expect(log.count('disposed')).toBe(1);
    expect(serve.status().apps).toEqual({});
    expect(await handle.remote().catch(codeOf)).toBe('SERVE_NOT_FOUND');
  });

  test('15: a call that outlives the graceful timeout is told so', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(lifecycle.options({ gracefulShutdownTimeoutMs: 50 }).bind(log.path));
    const outcome = handle.hold.remote().catch(codeOf);
    await log.until('started');
    await serve.delete('Lifecycle');
    expect(await outcome).toBe('SERVE_REPLICA_DIED');
  });

  test('59: new replicas that hang in their constructor take nothing from the old ones', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const at = (label: string) => release.options({ numReplicas: 5 }).bind(log.path, label);
    const handle = await serve.run(at('v1'), { name: 'app' });
    await status(serve, 'app', 'Release', 'HEALTHY');
    const updated = serve.run(at('v2'), { name: 'app' });
    await log.until('constructed v2', 2);
    expect(serve.status().apps['app']?.deployments['Release']?.replicaStates).toEqual({
      RUNNING: 5,
      STARTING: 2,
    });
    expect(await handle.broadcast('call')).toEqual(Array(5).fill('v1'));
    log.add('gate');
    await updated;
    expect(await handle.broadcast('call')).toEqual(Array(5).fill('v2'));
  });
});
