import { describe, expect, test } from 'vitest';
import { type AutoscalingContext, ManualClock, type Serve } from '../../src/index.ts';
import { CONDITION, cellsOf, HEALTH, patient } from '../fixtures/faulty/health.ts';
import { ELASTIC, elastic } from '../fixtures/load/autoscaling.ts';
import { CELL, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, eventually, status } from '../support/until.ts';

function changesOf(serve: Serve): string[] {
  const changes: string[] = [];
  serve.on('scaling', ({ from, to }) => changes.push(`${from} → ${to}`));
  return changes;
}

function running(serve: Serve): number {
  return serve.status().apps['Elastic']?.deployments['Elastic']?.replicaStates['RUNNING'] ?? 0;
}

/** Real threads and calls; only the control plane's time is the test's. */
describe('createServe({ clock }): what takes minutes passes at once', () => {
  test('62: scaled by the default delays, up after 3 s, down after 60 s', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const changes = changesOf(serve);
    const shared = new Shared();
    const handle = await serve.run(
      elastic.options({ autoscaling: { maxReplicas: 8, panic: false } }).bind(shared.buffer),
    );
    const calls = Array.from({ length: 8 }, () => handle.hold.remote());
    await shared.atLeast(ELASTIC.started, 8);
    await clock.advance(3_000);
    expect(changes).toEqual([]);
    await clock.advance(2_000);
    expect(changes).toEqual(['1 → 4']);
    await eventually(() => running(serve) === 4);
    shared.set(ELASTIC.gate, 1);
    await Promise.all(calls);
    await clock.advance(59_000);
    expect(changes).toEqual(['1 → 4']);
    await clock.advance(5_000);
    expect(changes.slice(1).at(-1)).toMatch(/→ 1$/);
    await eventually(() => running(serve) === 1);
  });

  test('64: bursts shorter than the delay change nothing, and each starts the timer anew', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const changes = changesOf(serve);
    const shared = new Shared();
    const autoscaling = { maxReplicas: 8, panic: false, lookBackPeriodMs: 500 } as const;
    const handle = await serve.run(elastic.options({ autoscaling }).bind(shared.buffer));
    for (let burst = 1; burst <= 3; burst++) {
      const calls = Array.from({ length: 8 }, () => handle.hold.remote(burst));
      await shared.atLeast(ELASTIC.started, 8 * burst);
      await clock.advance(2_000);
      shared.set(ELASTIC.gate, burst);
      await Promise.all(calls);
      await clock.advance(1_500);
    }
    expect(changes).toEqual([]);
    expect(serve.status().apps['Elastic']?.deployments['Elastic']?.targetReplicas).toBe(1);
  });

  test('65: with downscalingFactor 0.2 every step removes one, each after the delay', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const changes = changesOf(serve);
    const autoscaling = {
      maxReplicas: 5,
      initialReplicas: 5,
      downscalingFactor: 0.2,
      downscaleDelayMs: 10_000,
    };
    await serve.run(elastic.options({ autoscaling }).bind(new Shared().buffer));
    await status(serve, 'Elastic', 'Elastic', 'HEALTHY');
    await clock.advance(9_000);
    expect(changes).toEqual([]);
    await clock.advance(2_000);
    expect(changes).toEqual(['5 → 4']);
    await clock.advance(33_000);
    expect(changes).toEqual(['5 → 4', '4 → 3', '3 → 2', '2 → 1']);
    await eventually(() => running(serve) === 1);
  });

  test('what an update has running beside the target is no reason to have more', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const changes = changesOf(serve);
    const shared = new Shared();
    const at = (version: string) =>
      elastic
        .options({
          version,
          maxOngoingRequests: 2,
          rollout: { maxSurge: 1 },
          autoscaling: {
            maxReplicas: 5,
            initialReplicas: 2,
            targetOngoingRequests: 2.5,
            downscalingFactor: 0.5,
          },
        })
        .bind(shared.buffer);
    const handle = await serve.run(at('v1'));
    await eventually(() => running(serve) === 2);
    const calls = Array.from({ length: 5 }, () => handle.hold.remote());
    await shared.atLeast(ELASTIC.started, 4);
    const updated = serve.run(at('v2'));
    // The fifth is at the new version, which proves itself for ten seconds.
    await shared.atLeast(ELASTIC.started, 5);
    await eventually(() => running(serve) === 4);
    await clock.advance(9_000);
    expect(running(serve)).toBe(4);
    expect(changes).toEqual([]);
    shared.set(ELASTIC.gate, 1);
    await Promise.all(calls);
    await eventually(async () => {
      await clock.advance(250);
      return serve.status().apps['Elastic']?.deployments['Elastic']?.status === 'HEALTHY';
    });
    await updated;
  });

  test('a policy goes by the clock that it is given', async () => {
    const clock = new ManualClock(Date.UTC(2030, 0, 1, 5, 55));
    await using serve = quietServe({ clock });
    const byDaytime = ({ currentTime }: AutoscalingContext): number =>
      new Date(currentTime).getUTCHours() < 6 ? 1 : 3;
    const autoscaling = { maxReplicas: 4, upscaleDelayMs: 0, policy: byDaytime };
    await serve.run(elastic.options({ autoscaling }).bind(new Shared().buffer));
    const scaled = event(serve, 'scaling');
    await clock.advance(4 * 60_000);
    expect(running(serve)).toBe(1);
    await clock.advance(60_000);
    expect(await scaled).toMatchObject({ from: 1, to: 3 });
    const report = serve.status().apps['Elastic']?.deployments['Elastic']?.scaling;
    expect(report?.at).toBeGreaterThanOrEqual(Date.UTC(2030, 0, 1, 6));
    await eventually(() => running(serve) === 3);
  });

  test('57: health is asked for every ten seconds, and the third failure replaces', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const shared = new Shared();
    await serve.run(patient.bind(shared.buffer));
    const { condition, checks } = cellsOf(1);
    expect(shared.get(checks)).toBe(1);
    await clock.advance(8_500);
    expect(shared.get(checks)).toBe(1);
    shared.set(condition, CONDITION.fails);
    const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
    await clock.advance(2_750);
    await shared.atLeast(checks, 2);
    // The replica answers in real time.
    await eventually(async () => {
      await clock.advance(250);
      return shared.get(checks) === 4;
    });
    expect(clock.now()).toBeGreaterThanOrEqual(27_000);
    await stopped;
    expect(shared.get(checks)).toBe(4);
    await shared.atLeast(HEALTH.constructed, 2);
  });

  test('a replica that dies again is started later: at once, after 1 s, 1 s, 2 s', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const shared = new Shared();
    const handle = await serve.run(lifecycle.bind({ shared: shared.buffer }));
    const crash = async (): Promise<void> => {
      const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
      await handle.exit.remote().catch(() => {});
      await stopped;
    };
    await crash();
    await shared.atLeast(CELL.constructed, 2);
    for (const [crashes, pauseMs] of [1_000, 1_000, 2_000].entries()) {
      await crash();
      await clock.advance(pauseMs - 250);
      expect(serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.replicas).toEqual([]);
      await clock.advance(500);
      await shared.atLeast(CELL.constructed, 3 + crashes);
    }
  });

  test('a placement is given up after 30 s', async () => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock, resources: { slots: 0 } });
    const deployed = serve.run(elastic.options({ resources: { slots: 1 } }).bind(new Shared().buffer));
    let isOver = false;
    const outcome = deployed.catch((error: unknown) => error).finally(() => (isOver = true));
    await clock.advance(29_000);
    expect(isOver).toBe(false);
    await clock.advance(2_000);
    expect(await outcome).toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('1 slots where 0 are free'),
    });
  });

  test('what is no clock is refused', () => {
    expect(() => quietServe({ clock: { now: Date.now } as never })).toThrow(
      'createServe.clock: got an object; allowed: a clock with now, timestamp and every',
    );
  });
});
