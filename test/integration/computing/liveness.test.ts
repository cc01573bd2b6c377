import { describe, expect, test } from 'vitest';
import { COMPUTING, checked, computing } from '../../fixtures/load/computing.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event } from '../../support/until.ts';

describe('a replica that computes', () => {
  test('is neither stuck nor unhealthy while calls begin and end, however long it never rests', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { stuckAfterMs: 3_000, healthCheckPeriodMs: 50, healthCheckTimeoutMs: 50 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const states: string[] = [];
    serve.on('replica', ({ state }) => states.push(state));
    const calls = Array.from({ length: 40 }, (_, index) => handle.hold.remote(index + 1));
    const from = performance.now();
    // The next call begins as one ends, for longer than a replica may be silent.
    for (let gate = 1; gate <= calls.length; gate++) {
      await shared.atLeast(COMPUTING.begun, gate);
      await new Promise((resolve) => setTimeout(resolve, 100));
      shared.set(COMPUTING.gate, gate);
    }
    await Promise.all(calls);
    expect(performance.now() - from).toBeGreaterThan(options.stuckAfterMs);
    expect(states).toEqual([]);
  });

  test('is not asked for its health if it has nothing to say', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { healthCheckPeriodMs: 20, healthCheckTimeoutMs: 20 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const call = handle.hold.remote(1);
    await shared.atLeast(COMPUTING.begun, 1);
    // More than three periods and timeouts.
    await new Promise((resolve) => setTimeout(resolve, 500));
    shared.set(COMPUTING.gate, 1);
    expect(await call).toBe(1);
    expect(serve.status().apps['Computing']?.deployments['Computing']).toMatchObject({
      status: 'HEALTHY',
      restarts: 0,
    });
  });

  test('has the time of its check counted from when it begins', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { healthCheckPeriodMs: 20, healthCheckTimeoutMs: 200 };
    const handle = await serve.run(checked.options(options).bind(shared.buffer));
    for (const gate of [1, 2, 3, 4]) {
      const call = handle.hold.remote(gate);
      await shared.atLeast(COMPUTING.begun, gate);
      // Longer than a check may take, again and again.
      await new Promise((resolve) => setTimeout(resolve, 300));
      shared.set(COMPUTING.gate, gate);
      expect(await call).toBe(gate);
      await shared.atLeast(COMPUTING.checks, shared.get(COMPUTING.checks) + 1);
    }
    expect(serve.status().apps['Checked']?.deployments['Checked']?.restarts).toBe(0);
  });

  test('is stuck once nothing has moved for long, ready all the same, and ended at the deadline of its call', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { stuckAfterMs: 200, numReplicas: 2, requestTimeoutMs: 1_500 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
    const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
    const calls = [1, 2].map(() => handle.hold.remote(9).catch((error) => error));
    await shared.atLeast(COMPUTING.begun, 2);
    await stuck;
    expect(serve.ready()).toBe(true);
    const errors = await Promise.all(calls);
    expect(errors).toMatchObject([{ code: 'SERVE_TIMEOUT' }, { code: 'SERVE_TIMEOUT' }]);
    await stopped;
    shared.set(COMPUTING.gate, 9);
    expect(await handle.compute.remote(1)).toBeGreaterThan(2);
  });

  test('keeps what it has until `stuckTerminateMs` if its call has no deadline', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { stuckAfterMs: 100, stuckTerminateMs: 60_000, requestTimeoutMs: 0 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
    const back = event(serve, 'replica', ({ state }) => state === 'RUNNING');
    const call = handle.hold.remote(1);
    await shared.atLeast(COMPUTING.begun, 1);
    await stuck;
    shared.set(COMPUTING.gate, 1);
    expect(await call).toBe(1);
    await back;
    expect(await handle.compute.remote(1)).toBe(2);
  });

  test('hands back what it has not begun when it is stuck: another one runs it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { stuckAfterMs: 200, requestTimeoutMs: 20_000 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
    const held = handle.hold.remote(1);
    const behind = [1, 2].map(() => handle.compute.remote(1));
    await shared.atLeast(COMPUTING.begun, 1);
    await stuck;

    shared.set(COMPUTING.gate, 1);
    await Promise.all([held, ...behind]);
    expect(shared.get(COMPUTING.begun)).toBe(3);
  });
});
