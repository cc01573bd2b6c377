import { describe, expect, test } from 'vitest';
import { type DeploymentOptions, deployment, ServeError } from '../../src/index.ts';
import { basic } from '../fixtures/calls/basic.ts';
import {
  type Broken,
  broken,
  CELL,
  type Lifecycle,
  lifecycle,
  lifecycleV2,
  sick,
} from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually, status } from '../support/until.ts';

/** Ray Serve's behaviours 1, 2 and 8–15, with our codes. */
describe('deploying', () => {
  test('1: run answers a handle to the ingress once it can serve', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    expect(await handle.remote()).toEqual({ count: 1 });
    expect(serve.ready()).toBe(true);
    expect(serve.status().apps['Basic']).toMatchObject({ status: 'RUNNING', routePrefix: '/' });
  });

  test('2: the same name again is an upgrade in place, and no request fails meanwhile', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const old = lifecycle.options({ name: 'Upgraded', numReplicas: 2 });
    const handle = await serve.run(old.bind({ shared: shared.buffer, label: 'v1' }), { name: 'app' });
    await status(serve, 'app', 'Upgraded', 'HEALTHY');
    const before = await handle.remote();
    const labels = new Set<string>();
    let stop = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!stop) labels.add((await handle.remote()).label);
    });
    await serve.run(lifecycleV2.options({ name: 'Upgraded', numReplicas: 2 }).bind(), { name: 'app' });
    const after = await handle.remote();
    stop = true;
    await Promise.all(load);
    expect(before.label).toBe('v1');
    expect(after.label).toBe('v2');
    expect(after.replica).not.toBe(before.replica);
    expect([...labels].sort()).toEqual(['v1', 'v2']);
    // The last old replica may still be draining.
    await shared.atLeast(CELL.disposed, 2);
    expect(shared.get(CELL.disposed)).toBe(2);
  });

  test('8: two bindings of one class are two deployments, the same one bound twice is one', async () => {
    await using serve = quietServe();
    const shared = new Shared().buffer;
    const a = lifecycle.bind({ shared, label: 'a' });
    const b = lifecycle.bind({ shared, label: 'b' });
    const parent = lifecycle.options({ name: 'Parent' });
    const handle = await serve.run(parent.bind({ shared, nested: { handles: [a, b, a] } }));
    const answers = (await handle.ask.remote()) as { label: string; replica: string }[];
    expect(answers.map(({ label }) => label)).toEqual(['a', 'b', 'a']);
    expect(answers[0]?.replica).toBe(answers[2]?.replica);
    expect(Object.keys(serve.status().apps['Parent']?.deployments ?? {})).toEqual([
      'Lifecycle',
      'Lifecycle_1',
      'Parent',
    ]);
  });

  test('9: handles nested in arrays and objects of the arguments are usable', async () => {
    await using serve = quietServe();
    const shared = new Shared().buffer;
    const child = lifecycle.bind({ shared, label: 'nested' });
    const parent = lifecycle.options({ name: 'Parent' }).bind({ shared, nested: { handles: [child] } });
    const handle = await serve.run(parent);
    expect(await handle.ask.remote()).toMatchObject([{ label: 'nested' }]);
  });

  test.each<[keyof DeploymentOptions, unknown, string]>([
    ['numReplicas', 0, 'an integer from 1 to 1000'],
    ['numReplicas', 1.5, 'an integer from 1 to 1000'],
    ['maxOngoingRequests', null, 'an integer'],
    ['maxQueuedRequests', -2, '-1'],
    ['name', 'a b', 'A–Z'],
    ['priority', 'urgent', 'critical'],
    ['userConfig', { at: new Date() }, 'JSON'],
  ])('10: %s = %j is refused when it is given', (option, value, allowed) => {
    const options = { [option]: value } as DeploymentOptions;
    expect(() => basic.options(options)).toThrow(
      expect.objectContaining({ code: 'SERVE_INVALID_OPTION', message: expect.stringContaining(allowed) }),
    );
    expect(() => basic.options(options)).toThrow(`deployment.${option}`);
  });

  test('10: an unknown option, and a prefix that is none, are refused before anything starts', async () => {
    await using serve = quietServe();
    expect(() => basic.options({ replicas: 2 } as DeploymentOptions)).toThrow('no such option');
    for (const routePrefix of ['a', '/a/', '/{x}', '//', '']) {
      await expect(serve.run(basic.bind(), { routePrefix })).rejects.toMatchObject({
        code: 'SERVE_INVALID_OPTION',
      });
    }
    expect(serve.status().apps).toEqual({});
  });

  test('10: a reserved method name is refused', () => {
    class Bad {
      options(): void {}
    }
    // @ts-expect-error: the type says so as well
    expect(() => deployment(Bad)).toThrow(expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }));
  });

  test('11: an argument that cannot cross threads is refused at bind, with its path', () => {
    const args = { shared: new SharedArrayBuffer(8), nested: { handles: [() => 1] } };
    // @ts-expect-error: a function is no handle
    expect(() => lifecycle.bind(args)).toThrow(
      expect.objectContaining({
        code: 'SERVE_NOT_SERIALIZABLE',
        message: expect.stringContaining('Lifecycle.bind(arg 0).nested.handles[0]'),
      }),
    );
  });

  test('12: a constructor that always fails fails the deployment, with the original error, and calls fail fast', async () => {
    await using serve = quietServe();
    const error = await serve.run(broken.bind()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServeError);
    expect(error).toMatchObject({ code: 'SERVE_DEPLOY_FAILED', statusCode: 503, deployment: 'Broken' });
    expect((error as ServeError).cause).toMatchObject({
      message: 'no weights',
      code: 'E_WEIGHTS',
      file: 'weights.bin',
    });
    expect((error as ServeError).cause).toBeInstanceOf(RangeError);
    const report = serve.status().apps['Broken'];
    expect(report).toMatchObject({ status: 'DEPLOY_FAILED', deployments: { Broken: { replicaStates: {} } } });
    await expect(serve.handle<typeof Broken>('Broken').remote()).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
    });
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
    const shared = new Shared();
    const app = lifecycle.options({ numReplicas: 2 }).bind({ shared: shared.buffer, failTimes: 1 });
    await serve.run(app);
    await status(serve, 'Lifecycle', 'Lifecycle', 'HEALTHY');
    expect(shared.get(CELL.failures)).toBe(1);
    expect(serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.replicaStates).toEqual({ RUNNING: 2 });
  });

  test('14: a good version after a failed one recovers', async () => {
    await using serve = quietServe();
    await serve.run(broken.bind(), { name: 'app' }).catch(() => {});
    const handle = await serve.run(basic.options({ name: 'Broken' }).bind(), { name: 'app' });
    expect(await handle.remote()).toEqual({ count: 1 });
    expect(serve.status().apps['app']?.status).toBe('RUNNING');
  });

  test('14: a broken new version leaves the old one serving', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.options({ name: 'Same' }).bind(), { name: 'app' });
    await expect(serve.run(broken.options({ name: 'Same' }).bind(), { name: 'app' })).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
    });
    expect(await handle.remote()).toEqual({ count: 1 });
    await eventually(() => serve.status().apps['app']?.status === 'RUNNING');
    expect(serve.status().apps['app']?.deployments['Same']?.message).toContain('rolled back');
  });

  test('15: calls in flight finish when their app is deleted, new ones are refused', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(lifecycle.bind({ shared: shared.buffer, label: 'held' }));
    const held = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    const deleted = serve.delete('Lifecycle');
    await expect(handle.remote()).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE', statusCode: 503 });
    shared.set(CELL.gate, 1);
    expect(await held).toBe('held');
    await deleted;
    expect(shared.get(CELL.disposed)).toBe(1);
    expect(serve.status().apps).toEqual({});
    await expect(serve.handle<typeof Lifecycle>('Lifecycle').remote()).rejects.toMatchObject({
      code: 'SERVE_NOT_FOUND',
      statusCode: 404,
    });
  });

  test('15: a call that outlives the graceful timeout is told so', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(
      lifecycle.options({ gracefulShutdownTimeoutMs: 50 }).bind({ shared: shared.buffer }),
    );
    const held = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    const outcome = held.catch((error: unknown) => error);
    await serve.delete('Lifecycle');
    expect(await outcome).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
  });
});
