import { describe, expect, test } from 'vitest';
import { ManualClock, type Serve } from '../../../src/index.ts';
import { deaf, lifecycle, patient } from '../../fixtures/python/conformance.ts';
import { EventLog } from '../../fixtures/python/event-log.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { event, status, whileTimePasses } from '../../support/until.ts';

/** A busy machine answers in time; what hangs is waited for three times. */
const FREQUENT = { healthCheckPeriodMs: 20, healthCheckTimeoutMs: 300 };

const codeOf = (error: { readonly code?: string }): unknown => error.code ?? error;

async function pair(serve: Serve, log: EventLog) {
  const handle = await serve.run(patient.options({ numReplicas: 2, ...FREQUENT }).bind(log.path));
  await status(serve, 'Patient', 'Patient', 'HEALTHY');
  return async (): Promise<Record<number, string>> => {
    const answers = await handle.broadcast('call');
    return Object.fromEntries(answers.map(({ patient: number, replica }) => [number, replica]));
  };
}

/** Ray Serve's behaviours 57, 58 and 60, with Python replicas. */
describe.skipIf(!HAS_PYTHON)('health checks in Python (skipped without Python 3.9 or newer)', () => {
  test.each(['fails', 'hangs'])(
    '57: a check that %s three times in a row replaces that replica, and only that one',
    async (condition) => {
      const clock = new ManualClock();
      await using serve = quietServe({ clock });
      const log = new EventLog();
      const replicas = await pair(serve, log);
      const before = await replicas();
      const stopped: string[] = [];
      serve.on('replica', ({ state, replica }) => state === 'STOPPED' && stopped.push(replica));
      const unhealthy = event(serve, 'deployment', (data) => data.status === 'UNHEALTHY', 30_000);
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING', 30_000);
      log.add(`condition 1 ${condition}`);
      await whileTimePasses(clock, Promise.all([unhealthy, replaced]));
      await status(serve, 'Patient', 'Patient', 'HEALTHY');
      expect(stopped).toEqual([before[1]]);
      expect(log.count('failure 1')).toBe(3);
      const after = await replicas();
      expect(Object.keys(after)).toEqual(['2', '3']);
      expect(after[2]).toBe(before[2]);
    },
  );

  test.each(['alternates', 'fails twice'])(
    '57: a replica whose check %s is never replaced',
    async (condition) => {
      const clock = new ManualClock();
      await using serve = quietServe({ clock });
      const log = new EventLog();
      const replicas = await pair(serve, log);
      const before = await replicas();
      log.add(`condition 1 ${condition}`);
      await whileTimePasses(clock, log.until('failure 1', 6));
      expect(await replicas()).toEqual(before);
      expect(log.count('constructed')).toBe(2);
    },
  );

  test.each([
    ['fails', 'checkHealth failed: patient 3 is ill'],
    ['hangs', 'checkHealth failed: checkHealth() took longer than 300 ms'],
  ])('58: a deployment whose first health check always %s fails to deploy', async (condition, message) => {
    await using serve = quietServe();
    const log = new EventLog();
    log.add(`condition all ${condition}`);
    const bound = patient.options({ ...FREQUENT, restart: { maxDelayMs: 0 } }).bind(log.path);
    await expect(serve.run(bound)).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining(message),
      cause: expect.any(Error),
    });
    expect(log.count('constructed')).toBe(3);
    expect(serve.status().apps['Patient']).toMatchObject({
      status: 'DEPLOY_FAILED',
      deployments: { Patient: { status: 'DEPLOY_FAILED', replicas: [] } },
    });
  });
});

describe.skipIf(!HAS_PYTHON)('the end of a Python replica (skipped without Python 3.9 or newer)', () => {
  test('60: a call that outlasts gracefulShutdownTimeoutMs is ended then; the destructor runs once', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(lifecycle.options({ gracefulShutdownTimeoutMs: 200 }).bind(log.path));
    const outcome = handle.hold.remote().catch(codeOf);
    await log.until('started');
    const from = performance.now();
    const closed = serve.close();
    expect(await outcome).toBe('SERVE_REPLICA_DIED');
    // A timer may fire a millisecond early.
    expect(performance.now() - from).toBeGreaterThanOrEqual(199);
    await closed;
    expect([log.count('disposed'), log.count('finished')]).toEqual([1, 0]);
  });

  test('60: with a longer limit the call completes; the destructor runs once, and after it', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const patience = lifecycle.options({ gracefulShutdownTimeoutMs: 20_000 });
    const handle = await serve.run(patience.bind(log.path, 'done'));
    const held = handle.hold.remote();
    await log.until('started');
    const stopping = serve.close();
    await expect(handle.remote()).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(log.count('disposed')).toBe(0);
    log.add('gate');
    expect(await held).toBe('done');
    await stopping;
    expect(log.events.slice(-2)).toEqual(['finished', 'disposed']);
  });

  test('60: code that never lets the loop turn is ended all the same', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const options = { gracefulShutdownTimeoutMs: 50, requestTimeoutMs: 0 };
    const handle = await serve.run(deaf.options(options).bind(log.path));
    const outcome = handle.remote().catch(codeOf);
    await log.until('called');
    await serve.close();
    expect(await outcome).toBe('SERVE_REPLICA_DIED');
  });
});
