import { describe, expect, test } from 'vitest';
import type {
  AutoscalingContext,
  AutoscalingOptions,
  DeploymentHandle,
  DeploymentOptions,
  DeploymentReport,
  Serve,
  ServeEvents,
} from '../../src/index.ts';
import {
  driver,
  ELASTIC,
  type Elastic,
  elastic,
  reporting,
  unresponsive,
} from '../fixtures/load/autoscaling.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, eventually, status } from '../support/until.ts';

/** Everything sooner than by default. */
const QUICK: AutoscalingOptions = {
  metricsIntervalMs: 20,
  lookBackPeriodMs: 100,
  upscaleDelayMs: 50,
  downscaleDelayMs: 50,
  panic: false,
};

async function run(
  serve: Serve,
  autoscaling: AutoscalingOptions,
  options: DeploymentOptions = {},
): Promise<{ handle: DeploymentHandle<typeof Elastic>; shared: Shared }> {
  const shared = new Shared();
  const bound = elastic
    .options({ autoscaling: { ...QUICK, ...autoscaling }, ...options })
    .bind(shared.buffer);
  return { handle: await serve.run(bound), shared };
}

function report(serve: Serve, name = 'Elastic', app = name): DeploymentReport {
  const found = serve.status().apps[app]?.deployments[name];
  if (found === undefined) throw new Error(`there is no ${app}/${name}`);
  return found;
}

const running = (serve: Serve, name?: string): number => report(serve, name).replicaStates['RUNNING'] ?? 0;
const ids = (serve: Serve): string[] => report(serve).replicas.map(({ id }) => id);

/** Ray Serve's behaviours 62–68. */
describe('autoscaling', () => {
  test('62: 50 calls at once, 10 per replica: 5 replicas, and 1 after the load stops', async () => {
    await using serve = quietServe();
    const changes: ServeEvents['scaling'][] = [];
    serve.on('scaling', (change) => changes.push(change));
    const { handle, shared } = await run(
      serve,
      { maxReplicas: 8, targetOngoingRequests: 10 },
      { maxOngoingRequests: 20 },
    );
    const calls = Array.from({ length: 50 }, () => handle.hold.remote());
    await status(serve, 'Elastic', 'Elastic', 'UPSCALING');
    await eventually(() => running(serve) === 5);
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    await eventually(() => report(serve).scaling?.inputs.running === 5);
    expect(report(serve).scaling).toMatchObject({
      to: 5,
      desired: 5,
      inputs: { running: 5, queued: 0, load: expect.closeTo(50) },
    });
    expect(await serve.metrics()).toContain(
      'serve_autoscaling_desired_replicas{app="Elastic",deployment="Elastic"} 5',
    );
    // Most replicas may have gone before the last call is answered.
    const downscaling = event(serve, 'deployment', ({ status: now }) => now === 'DOWNSCALING');
    shared.set(ELASTIC.gate, 1);
    await Promise.all(calls);
    await downscaling;
    await eventually(() => running(serve) === 1 && ids(serve).length === 1);
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    expect(shared.get(ELASTIC.disposed)).toBe(4);
    expect(changes.at(0)?.from).toBe(1);
    expect(changes.at(-1)).toMatchObject({ app: 'Elastic', deployment: 'Elastic', to: 1 });
    expect(changes.at(-1)?.reason).toMatch(/^load .* \(10 per replica\), .* wanted/);
  });

  test('63: without replicas the first call starts one, without any delay', async () => {
    await using serve = quietServe();
    // Sampled so rarely that only the call itself can have started the replica.
    const slow = { metricsIntervalMs: 60_000, lookBackPeriodMs: 60_000, upscaleDelayMs: 60_000 };
    const { handle, shared } = await run(serve, { minReplicas: 0, maxReplicas: 3, ...slow });
    expect(serve.ready()).toBe(true);
    expect(report(serve)).toMatchObject({ status: 'HEALTHY', targetReplicas: 0, replicas: [] });
    const scaled = event(serve, 'scaling');
    expect(await handle.remote()).toMatch(/^Elastic#/);
    expect(await scaled).toMatchObject({
      from: 0,
      to: 1,
      reason: 'cold start: 1 calls wait and no replica runs',
    });
    expect(shared.get(ELASTIC.constructed)).toBe(1);
  });

  test('63: a call that a replica makes starts one as well', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const slow = { metricsIntervalMs: 60_000, lookBackPeriodMs: 60_000 };
    const child = elastic.options({ autoscaling: { minReplicas: 0, ...slow } }).bind(shared.buffer);
    const handle = await serve.run(driver.bind(child));
    expect(report(serve, 'Elastic', 'Driver').targetReplicas).toBe(0);
    expect(await handle.remote()).toMatch(/^Elastic#/);
  });

  test('63: scaled to zero and back again and again, no call is lost', async () => {
    await using serve = quietServe();
    const { handle, shared } = await run(serve, {
      minReplicas: 0,
      maxReplicas: 2,
      lookBackPeriodMs: 20,
      downscaleDelayMs: 0,
    });
    const answers: string[] = [];
    for (let round = 0; round < 3; round++) {
      answers.push(await handle.remote());
      await event(serve, 'scaling', ({ to }) => to === 0);
      // Right into the drain of the last replica.
      answers.push(...(await Promise.all([handle.remote(), handle.remote()])));
      await eventually(() => report(serve).targetReplicas === 0 && ids(serve).length === 0);
    }
    expect(answers).toHaveLength(9);
    expect(shared.get(ELASTIC.constructed)).toBeGreaterThanOrEqual(3);
    expect(serve.ready()).toBe(true);
  });

  test('63: a cold start that fails tells the calls that wait', async () => {
    await using serve = quietServe();
    const handle = await serve.run(
      unresponsive.options({ autoscaling: { minReplicas: 0 }, maxConstructorRetryCount: 1 }).bind(),
    );
    await expect(handle.remote()).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      cause: { message: 'no weights' },
    });
    expect(report(serve, 'Hopeless').status).toBe('DEPLOY_FAILED');
    expect(serve.ready()).toBe(false);
  });

  test('a replica that leaves finishes its calls first, and the one with the fewest leaves', async () => {
    await using serve = quietServe();
    const scaled = event(serve, 'scaling', ({ to }) => to === 1);
    const { handle, shared } = await run(serve, {
      maxReplicas: 2,
      initialReplicas: 2,
      downscaleDelayMs: 300,
    });
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    const call = handle.hold.remote();
    await shared.atLeast(ELASTIC.started, 1);
    await scaled;
    await eventually(() => ids(serve).length === 1);
    const [left] = ids(serve);
    shared.set(ELASTIC.gate, 1);
    expect(await call).toBe(left);
  });

  test('66: starts with initialReplicas; raising minReplicas keeps the replicas there are', async () => {
    await using serve = quietServe();
    const slow = { downscaleDelayMs: 60_000 };
    const { shared } = await run(serve, { initialReplicas: 2, minReplicas: 0, maxReplicas: 5, ...slow });
    await eventually(() => running(serve) === 2);
    const before = ids(serve);
    const more = { ...QUICK, ...slow, minReplicas: 3, maxReplicas: 5 };
    await serve.run(elastic.options({ autoscaling: more }).bind(shared.buffer));
    await eventually(() => running(serve) === 3);
    expect(ids(serve)).toEqual(expect.arrayContaining(before));
  });

  test('67: a custom policy: 3.2 are 4, and its state comes back', async () => {
    await using serve = quietServe();
    const seen: AutoscalingContext[] = [];
    const policy = (context: AutoscalingContext) => {
      seen.push(context);
      const times = ((context.policyState as number | undefined) ?? 0) + 1;
      return { replicas: times < 3 ? 1 : 3.2, state: times };
    };
    const { handle } = await run(serve, { maxReplicas: 6, policy, upscaleDelayMs: 0 });
    await eventually(() => running(serve) === 4);
    await handle.remote();
    expect(seen.map(({ policyState }) => policyState).slice(0, 4)).toEqual([undefined, 1, 2, 3]);
    expect(seen.at(-1)).toMatchObject({
      appName: 'Elastic',
      deploymentName: 'Elastic',
      targetNumReplicas: 4,
      capacityAdjustedMinReplicas: 1,
      capacityAdjustedMaxReplicas: 6,
      config: { maxReplicas: 6 },
    });
    expect(seen.at(-1)?.lastScaleUpTime).toBeGreaterThan(0);
  });

  test('67: a policy that throws changes nothing, is reported once, and touches nobody else', async () => {
    await using serve = quietServe();
    const faults: ServeEvents['fault'][] = [];
    serve.on('fault', (fault) => faults.push(fault));
    let isBroken = false;
    let asked = 0;
    const policy = (): number => {
      asked++;
      if (isBroken) throw new RangeError('the forecast is gone');
      return 2;
    };
    const { handle } = await run(serve, { maxReplicas: 4, policy, upscaleDelayMs: 0 });
    await eventually(() => running(serve) === 2);
    isBroken = true;
    const before = asked;
    const shared = new Shared();
    const other = await serve.run(
      elastic
        .options({ name: 'Other', autoscaling: { ...QUICK, maxReplicas: 2, targetOngoingRequests: 1 } })
        .bind(shared.buffer),
      { routePrefix: null },
    );
    const calls = [other.hold.remote(), other.hold.remote()];
    await eventually(() => running(serve, 'Other') === 2);
    await eventually(() => asked > before + 5);
    expect(report(serve)).toMatchObject({
      targetReplicas: 2,
      scaling: { to: 2, reason: 'the policy failed' },
    });
    expect(faults).toMatchObject([
      {
        app: 'Elastic',
        deployment: 'Elastic',
        reason: 'autoscaling policy',
        error: { message: 'the forecast is gone' },
      },
    ]);
    expect(serve.log.records.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(await handle.remote()).toMatch(/^Elastic#/);
    shared.set(ELASTIC.gate, 1);
    await Promise.all(calls);
  });

  test('what replicas report reaches the policy; a hook that fails is reported, and asked again', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(ELASTIC.stats, 20);
    let last: AutoscalingContext | undefined;
    const policy = (context: AutoscalingContext): number => {
      last = context;
      return Object.values(context.aggregatedMetrics['temperature'] ?? {}).some((value) => value > 30)
        ? 2
        : 1;
    };
    await serve.run(
      reporting.options({ autoscaling: { ...QUICK, maxReplicas: 2, policy } }).bind(shared.buffer),
    );
    await eventually(() => last?.aggregatedMetrics['temperature'] !== undefined);
    const [id = ''] = last?.runningReplicas ?? [];
    expect(last?.aggregatedMetrics).toEqual({ temperature: { [id]: 20 } });
    expect(last?.rawMetrics['temperature']?.[id]?.[0]?.value).toBe(20);
    const fault = event(serve, 'fault');
    shared.set(ELASTIC.stats, -1);
    expect(await fault).toMatchObject({ reason: expect.stringMatching(/^recordAutoscalingStats of/) });
    shared.set(ELASTIC.stats, 50);
    await eventually(() => running(serve, 'Reporting') === 2);
  });

  test('a policy of the whole app decides for all of its deployments at once', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const autoscaling = { ...QUICK, maxReplicas: 5, upscaleDelayMs: 0 };
    const child = elastic.options({ autoscaling, name: 'Child' }).bind(shared.buffer);
    const fixed = driver.options({ autoscaling }).bind(child);
    let answer: Record<string, number> = { Child: 3 };
    const names = new Set<string>();
    const autoscalingPolicy = (contexts: Readonly<Record<string, AutoscalingContext>>) => {
      for (const name of Object.keys(contexts)) names.add(name);
      return answer;
    };
    await serve.run(fixed, { name: 'app', autoscalingPolicy });
    await eventually(() => report(serve, 'Child', 'app').replicaStates['RUNNING'] === 3);
    expect([...names].sort()).toEqual(['Child', 'Driver']);
    expect(report(serve, 'Driver', 'app').scaling?.reason).toBe("the app's policy returned no entry for it");
    const fault = event(serve, 'fault');
    answer = { Child: 1, Stranger: 2 };
    expect(await fault).toMatchObject({ app: 'app', reason: "the app's autoscaling policy" });
    expect(report(serve, 'Child', 'app').targetReplicas).toBe(3);
  });
});

describe('the options', () => {
  test.each<[string, object]>([
    ['deployment.numReplicas: got 2; allowed: not to be set together', { numReplicas: 2, autoscaling: {} }],
    ['deployment.numReplicas: got "auto"', { numReplicas: 'auto', autoscaling: {} }],
    [
      'deployment.numReplicas: got "many"; allowed: an integer from 1 to 1000, or "auto"',
      { numReplicas: 'many' },
    ],
    [
      'deployment.autoscaling.maxReplicas: got 1; allowed: at least minReplicas (2); the default is 1',
      { autoscaling: { minReplicas: 2 } },
    ],
    [
      'deployment.autoscaling.initialReplicas: got 9; allowed: from minReplicas to maxReplicas (1 to 4)',
      { autoscaling: { maxReplicas: 4, initialReplicas: 9 } },
    ],
    ['deployment.autoscaling.targetOngoingRequests: got 0', { autoscaling: { targetOngoingRequests: 0 } }],
    [
      'deployment.autoscaling.lookBackPeriodMs: got 100; allowed: at least metricsIntervalMs (250)',
      { autoscaling: { lookBackPeriodMs: 100 } },
    ],
    ['deployment.autoscaling.policy: got "x"; allowed: a function', { autoscaling: { policy: 'x' } }],
    ['deployment.autoscaling.smoothing: got 1; allowed: no such option', { autoscaling: { smoothing: 1 } }],
    [
      'deployment.autoscaling: got "auto"; allowed: not to be set with isolation \'inline\'',
      { numReplicas: 'auto', isolation: 'inline' },
    ],
    [
      "deployment.numReplicas: got 3; allowed: not to be set with isolation 'inline'",
      { autoscaling: undefined, numReplicas: 3, isolation: 'inline' },
    ],
  ])('%s', (message, options) => {
    expect(() => elastic.options(options)).toThrow(message);
  });

  test("numReplicas: 'auto' goes from 1 to 100", async () => {
    await using serve = quietServe();
    const shared = new Shared();
    await serve.run(elastic.options({ numReplicas: 'auto' }).bind(shared.buffer));
    await eventually(() => report(serve).scaling !== undefined);
    expect(report(serve).scaling?.inputs.bounds).toEqual({ min: 1, max: 100 });
  });

  test('a fixed number and autoscaling replace each other in options()', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const auto = elastic.options({ numReplicas: 3 }).options({ autoscaling: { maxReplicas: 2 } });
    await serve.run(auto.bind(shared.buffer));
    expect(report(serve).targetReplicas).toBe(1);
    await serve.run(auto.options({ numReplicas: 2 }).bind(shared.buffer));
    expect(report(serve)).toMatchObject({ targetReplicas: 2, scaling: undefined });
  });
});
