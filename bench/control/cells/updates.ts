import { setTimeout as sleep } from 'node:timers/promises';
import { createServe, type DeploymentHandle, type Serve } from 'inserve';
import type { Cell } from '../cell.ts';
import { type Released, ReleasedDeployment } from '../deployments.ts';

/** 4 replicas × 8 calls of 2 ms: about 14,000 calls per second at most, hardly any CPU in the replicas. */
const OPTIONS = { numReplicas: 4, maxOngoingRequests: 8, rollout: { observeMs: 3_000 } };
const PEAK_MS = 3_000;
const LOAD = 0.7;
const CALLS_PER_PHASE = 17_000;
const TICK_MS = 2;
const APP = { name: 'app', routePrefix: null };

const of = (release: string, failing = 0) => ReleasedDeployment.options(OPTIONS).bind({ release, failing });

/** A rolling update, a reload and a canary that is aborted at 70 % load, and a new version that does not start. */
export const updates: Cell = {
  name: 'updates',
  units: {
    peak: 'calls/s',
    calls: 'calls',
    failed: 'calls',
    update: 's',
    reload: 's',
    abort: 's',
    failedByBad: 'calls',
    rollback: 's',
  },
  keys: [
    { key: 'control.rolling_update_failed', metric: 'failed', reduction: 'sum', goal: '0 of ≥ 50 k' },
    { key: 'control.rolling_update_calls', metric: 'calls', reduction: 'sum', goal: '≥ 50 k' },
    { key: 'control.bad_version_failed', metric: 'failedByBad', reduction: 'sum', goal: '0' },
    { key: 'control.rollback_s', metric: 'rollback', reduction: 'max', goal: '≤ 30' },
  ],
  timeoutMs: 240_000,
  rounds: 1,
  async measure() {
    await using serve = createServe({ logger: quiet });
    const handle = await serve.run(of('1'), APP);
    await healthy(serve);
    const peak = await closedLoop(handle, PEAK_MS);
    const rate = peak * LOAD;
    const update = await underLoad(handle, rate, () => serve.run(of('2'), APP));
    const reload = await underLoad(handle, rate, () => serve.reload('app'));
    const abort = await underLoad(handle, rate, async () => {
      await serve.run(of('3'), { name: 'app', canary: 0.3 });
      await sleep(1_000);
      await serve.rollback('app');
    });
    const bad = await underLoad(handle, rate, () => serve.run(of('4', 1), APP).catch(() => {}));
    const good = [update, reload, abort];
    return {
      peak,
      calls: good.reduce((sum, { calls }) => sum + calls, 0),
      failed: good.reduce((sum, { failed }) => sum + failed, 0),
      update: update.tookMs / 1_000,
      reload: reload.tookMs / 1_000,
      abort: abort.tookMs / 1_000,
      failedByBad: bad.failed,
      rollback: bad.tookMs / 1_000,
    };
  },
};

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

async function healthy(serve: Serve): Promise<void> {
  while (serve.status().apps['app']?.status !== 'RUNNING') await sleep(20);
}

/** Calls per second with enough callers to keep every place taken. */
async function closedLoop(handle: DeploymentHandle<typeof Released>, ms: number): Promise<number> {
  let served = 0;
  const end = performance.now() + ms;
  const caller = async () => {
    while (performance.now() < end) {
      await handle.remote();
      served++;
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
  return (served / ms) * 1_000;
}

/** New calls at a fixed rate, until the change is over and enough have been made. */
async function underLoad(
  handle: DeploymentHandle<typeof Released>,
  rate: number,
  change: () => Promise<unknown>,
): Promise<{ calls: number; failed: number; tookMs: number }> {
  let failed = 0;
  let tookMs = 0;
  const open = new Set<Promise<unknown>>();
  const begin = performance.now();
  const changed = change().then(() => {
    tookMs = performance.now() - begin;
  });
  let calls = 0;
  while (tookMs === 0 || calls < CALLS_PER_PHASE) {
    for (const due = ((performance.now() - begin) / 1_000) * rate; calls < due; calls++) {
      const call = handle.remote().then(
        () => {},
        () => {
          failed++;
        },
      );
      open.add(call);
      void call.then(() => open.delete(call));
    }
    await sleep(TICK_MS);
  }
  await Promise.all([changed, ...open]);
  return { calls, failed, tookMs };
}
