import { describe, expect, test } from 'vitest';
import type { AppConfig, DeploymentOptions, DeploymentReport, Serve } from '../../src/index.ts';
import { type Basic, basic } from '../fixtures/calls/basic.ts';
import { quietServe } from '../support/quiet.ts';
import { event, eventually } from '../support/until.ts';

const MODULE = './test/fixtures/updates/configured.ts';

function report(serve: Serve, app = 'app', deployment = 'Basic'): DeploymentReport {
  const found = serve.status().apps[app]?.deployments[deployment];
  if (found === undefined) throw new Error(`there is no ${app}/${deployment}`);
  return found;
}

const target = (serve: Serve): number => report(serve).targetReplicas;

async function run(serve: Serve, options: DeploymentOptions = {}): Promise<void> {
  await serve.run(basic.options(options).bind(), { name: 'app' });
}

const ELASTIC: DeploymentOptions = { autoscaling: { minReplicas: 1, maxReplicas: 4 } };

describe('serve.scale', () => {
  test('starts and stops replicas, and leaves the others as they are', async () => {
    await using serve = quietServe();
    await run(serve);
    const [first] = report(serve).replicas.map(({ id }) => id);
    const scaled = event(serve, 'scaling');
    await serve.scale('app', 'Basic', 3);
    expect(await scaled).toEqual({
      app: 'app',
      deployment: 'Basic',
      from: 1,
      to: 3,
      reason: 'scale() set 3 replicas',
    });
    expect(report(serve)).toMatchObject({ status: 'UPSCALING', targetReplicas: 3 });
    await eventually(() => report(serve).status === 'HEALTHY');
    expect(report(serve).replicas.map(({ id }) => id)).toContain(first);
    await serve.scale('app', 'Basic', 1);
    await eventually(() => report(serve).replicas.length === 1);
  });

  test('holds when the app is run anew', async () => {
    await using serve = quietServe();
    await run(serve);
    await serve.scale('app', 'Basic', 2);
    await run(serve, { numReplicas: 3, version: 'v2' });
    expect(target(serve)).toBe(2);
  });

  test('ends with its app', async () => {
    await using serve = quietServe();
    await run(serve);
    await serve.scale('app', 'Basic', 2);
    await serve.delete('app');
    await run(serve);
    expect(target(serve)).toBe(1);
  });

  test('holds until a config says how many replicas there are', async () => {
    await using serve = quietServe();
    const at = (options: object): { apps: AppConfig[] } => ({
      apps: [
        {
          name: 'a',
          routePrefix: null,
          import: `${MODULE}:utc`,
          deployments: [{ name: 'Clock', ...options }],
        },
      ],
    });
    const clock = (): number => report(serve, 'a', 'Clock').targetReplicas;
    await serve.deploy(at({ numReplicas: 1 }));
    await serve.scale('a', 'Clock', 3);
    await serve.deploy(at({ maxOngoingRequests: 2 }));
    expect(clock()).toBe(3);
    const targets = new Set<number>();
    serve.on('replica', () => targets.add(clock()));
    await serve.deploy(at({ numReplicas: 2 }));
    expect(clock()).toBe(2);
    await eventually(() => report(serve, 'a', 'Clock').replicas.length === 2);
    expect([...targets]).toEqual([2]);
  });

  test('with a number pauses autoscaling, and with bounds lets it go on between them', async () => {
    await using serve = quietServe();
    await run(serve, ELASTIC);
    expect(report(serve).scaling).toBeDefined();
    await serve.scale('app', 'Basic', 2);
    expect(report(serve)).toMatchObject({ targetReplicas: 2, scaling: undefined });
    await serve.scale('app', 'Basic', { min: 3, max: 6 });
    expect(report(serve)).toMatchObject({ targetReplicas: 3, scaling: { to: 3 } });
  });

  test('with the least of zero lets the first call start a replica', async () => {
    await using serve = quietServe();
    const quick = { metricsIntervalMs: 20, lookBackPeriodMs: 20, downscaleDelayMs: 0 };
    await run(serve, { autoscaling: { minReplicas: 1, maxReplicas: 4, ...quick } });
    await serve.scale('app', 'Basic', { min: 0, max: 1 });
    await eventually(() => target(serve) === 0 && report(serve).replicas.length === 0);
    expect(await serve.handle<typeof Basic>('app').echo.remote('answer')).toBe('answer');
  });

  test('counts before the target capacity', async () => {
    await using serve = quietServe();
    await serve.deploy({ apps: [], targetCapacity: 50 });
    await run(serve);
    await serve.scale('app', 'Basic', 4);
    expect(target(serve)).toBe(2);
  });

  test.each<[string, string, string, unknown, string]>([
    ['an unknown app', 'none', 'Basic', 2, 'SERVE_NOT_FOUND'],
    ['an unknown deployment', 'app', 'constructor', 2, 'SERVE_NOT_FOUND'],
    ['no replica', 'app', 'Basic', 0, 'SERVE_INVALID_OPTION'],
    ['half a replica', 'app', 'Basic', 1.5, 'SERVE_INVALID_OPTION'],
    ['text', 'app', 'Basic', '2', 'SERVE_INVALID_OPTION'],
    ['nothing', 'app', 'Basic', undefined, 'SERVE_INVALID_OPTION'],
    ['one bound', 'app', 'Basic', { min: 1 }, 'SERVE_INVALID_OPTION'],
    ['bounds that cross', 'app', 'Basic', { min: 3, max: 2 }, 'SERVE_INVALID_OPTION'],
    ['an unknown bound', 'app', 'Basic', { min: 1, max: 2, most: 3 }, 'SERVE_INVALID_OPTION'],
    [
      'bounds of a deployment that is not autoscaled',
      'app',
      'Basic',
      { min: 1, max: 2 },
      'SERVE_INVALID_OPTION',
    ],
    ['an inline deployment', 'inline', 'Basic', 2, 'SERVE_INVALID_OPTION'],
  ])('refuses %s, and changes nothing', async (_what, app, deployment, scale, code) => {
    await using serve = quietServe();
    await run(serve);
    await serve.run(basic.options({ isolation: 'inline' }).bind(), { name: 'inline', routePrefix: null });
    await expect(serve.scale(app, deployment, scale as number)).rejects.toMatchObject({ code });
    expect(target(serve)).toBe(1);
  });

  test('is refused while the instance closes', async () => {
    const serve = quietServe();
    await run(serve);
    const closed = serve.close();
    await expect(serve.scale('app', 'Basic', 2)).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    await closed;
  });
});
