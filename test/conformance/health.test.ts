import { describe, expect, test } from 'vitest';
import { ManualClock, type Serve } from '../../src/index.ts';
import { CONDITION, cellsOf, deaf, HEALTH, type Patient, patient } from '../fixtures/faulty/health.ts';
import { CELL, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, status, whileTimePasses } from '../support/until.ts';

/** A busy machine answers in time; what hangs is waited for three times. */
const FREQUENT = { healthCheckPeriodMs: 20, healthCheckTimeoutMs: 300 };

async function pair(serve: Serve, shared: Shared) {
  const handle = await serve.run(patient.options({ numReplicas: 2, ...FREQUENT }).bind(shared.buffer));
  await status(serve, 'Patient', 'Patient', 'HEALTHY');
  const replicas = async (): Promise<Record<number, string>> => {
    const answers = await handle.broadcast('call');
    return Object.fromEntries(answers.map(({ patient: number, replica }) => [number, replica]));
  };
  return { handle, replicas };
}

/** Ray Serve's behaviours 57, 58 and 60. */
describe('health checks', () => {
  test.each([
    ['fails', CONDITION.fails],
    ['does not end in time', CONDITION.hangs],
  ])(
    '57: a check that %s three times in a row replaces that replica, and only that one',
    async (_what, condition) => {
      const clock = new ManualClock();
      await using serve = quietServe({ clock });
      const shared = new Shared();
      const { replicas } = await pair(serve, shared);
      const before = await replicas();
      const stopped: string[] = [];
      serve.on('replica', ({ state, replica }) => state === 'STOPPED' && stopped.push(replica));
      const unhealthy = event(serve, 'deployment', (data) => data.status === 'UNHEALTHY');
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      shared.set(cellsOf(1).condition, condition);
      await whileTimePasses(clock, Promise.all([unhealthy, replaced]));
      await status(serve, 'Patient', 'Patient', 'HEALTHY');
      expect(stopped).toEqual([before[1]]);
      expect(shared.get(cellsOf(1).failures)).toBe(3);
      const after = await replicas();
      expect(Object.keys(after)).toEqual(['2', '3']);
      expect(after[2]).toBe(before[2]);
      expect(shared.get(HEALTH.disposed)).toBe(1);
    },
  );

  test.each([
    ['every other check', CONDITION.alternates],
    ['two checks in a row, but not a third', CONDITION.failsTwice],
  ])('57: a replica that fails %s is never replaced', async (_what, condition) => {
    const clock = new ManualClock();
    await using serve = quietServe({ clock });
    const shared = new Shared();
    const { replicas } = await pair(serve, shared);
    const before = await replicas();
    const cells = cellsOf(1);
    shared.set(cells.condition, condition);
    await whileTimePasses(clock, shared.atLeast(cells.failures, 6));
    expect(await replicas()).toEqual(before);
    expect(shared.get(HEALTH.constructed)).toBe(2);
  });

  test.each([
    ['fails', CONDITION.fails, 'checkHealth failed: patient 3 is ill'],
    ['hangs', CONDITION.hangs, 'checkHealth failed: checkHealth() took longer than 300 ms'],
  ])(
    '58: a deployment whose first health check always %s fails to deploy',
    async (_what, condition, message) => {
      await using serve = quietServe();
      const shared = new Shared();
      for (const number of [1, 2, 3, 4]) shared.set(cellsOf(number).condition, condition);
      const bound = patient.options({ ...FREQUENT, restart: { maxDelayMs: 0 } }).bind(shared.buffer);
      await expect(serve.run(bound)).rejects.toMatchObject({
        code: 'SERVE_DEPLOY_FAILED',
        message: expect.stringContaining(message),
        cause: expect.any(Error),
      });
      // min(maxConstructorRetryCount, 3 × replicas)
      expect(shared.get(HEALTH.constructed)).toBe(3);
      expect(serve.status().apps['Patient']).toMatchObject({
        status: 'DEPLOY_FAILED',
        deployments: { Patient: { status: 'DEPLOY_FAILED', replicas: [] } },
      });
      await expect(serve.handle<typeof Patient>('Patient').remote()).rejects.toMatchObject({
        statusCode: 503,
      });
    },
  );
});

describe('the end of a replica', () => {
  test('60: a call that outlasts gracefulShutdownTimeoutMs is ended then; the destructor runs once', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const brief = lifecycle.options({ gracefulShutdownTimeoutMs: 200 });
    const handle = await serve.run(brief.bind({ shared: shared.buffer }));
    const outcome = handle.hold.remote().catch((error: unknown) => error);
    await shared.atLeast(CELL.started, 1);
    const from = performance.now();
    const closed = serve.close();
    expect(await outcome).toMatchObject({ code: 'SERVE_REPLICA_DIED', retryable: false });
    // A timer may fire a millisecond early.
    expect(performance.now() - from).toBeGreaterThanOrEqual(199);
    await closed;
    expect(shared.get(CELL.disposed)).toBe(1);
    expect(shared.get(CELL.finished)).toBe(0);
  });

  test('60: with a longer limit the call completes; the destructor runs once, and after it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(
      lifecycle.options({ gracefulShutdownTimeoutMs: 20_000 }).bind({ shared: shared.buffer, label: 'done' }),
    );
    const held = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    const stopping = serve.close();
    await expect(handle.remote()).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(shared.get(CELL.disposed)).toBe(0);
    shared.set(CELL.gate, 1);
    expect(await held).toBe('done');
    await stopping;
    expect(shared.get(CELL.disposed)).toBe(1);
  });

  test('60: code that never lets go of its thread is ended all the same', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(
      deaf.options({ gracefulShutdownTimeoutMs: 50, requestTimeoutMs: 0 }).bind(shared.buffer),
    );
    const outcome = handle.remote().catch((error: unknown) => error);
    await shared.atLeast(HEALTH.constructed, 1);
    await serve.close();
    expect(await outcome).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
  });
});
