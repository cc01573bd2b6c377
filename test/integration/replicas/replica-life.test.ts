import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, DeploymentOptions, Serve, ServeError } from '../../../src/index.ts';
import { FAULT, type Faulty, faulty, relay, slow } from '../../fixtures/faulty/faults.ts';
import { CELL, lifecycle } from '../../fixtures/updates/lifecycle.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually, status } from '../../support/until.ts';

type Handle = DeploymentHandle<typeof Faulty>;

/** Calls that hang are not waited for at the end of a test. */
const IMPATIENT: DeploymentOptions = { gracefulShutdownTimeoutMs: 50 };

async function run(
  serve: Serve,
  options: DeploymentOptions = {},
): Promise<{ handle: Handle; shared: Shared }> {
  const shared = new Shared();
  const handle = await serve.run(faulty.options({ ...IMPATIENT, ...options }).bind(shared.buffer));
  return { handle, shared };
}

async function failure(call: Promise<unknown>): Promise<ServeError> {
  return await call.then(
    () => {
      throw new Error('the call should have failed');
    },
    (error: ServeError) => error,
  );
}

describe('a replica that dies', () => {
  test.each<[string, (handle: Handle) => Promise<unknown>, object]>([
    [
      'exits',
      (handle) => handle.exit.remote(7),
      { message: expect.stringMatching(/^the thread exited with code 7: .*Faulty\.exit/) },
    ],
    [
      'exits as if all were well',
      (handle) => handle.exit.remote(0),
      { message: expect.stringMatching(/^the thread exited with code 0: .*Faulty\.exit/) },
    ],
    ['throws outside a call', (handle) => handle.stray.remote(), { name: 'RangeError', message: 'stray' }],
    [
      'leaves a rejection unhandled',
      (handle) => handle.rejection.remote(),
      { message: 'nobody catches this' },
    ],
  ])('%s: its calls fail with the reason, another one takes its place', async (_name, kill, cause) => {
    await using serve = quietServe();
    const { handle, shared } = await run(serve);
    const before = await handle.remote();
    const bystanders = Array.from({ length: 8 }, () => failure(handle.hang.remote()));
    await shared.atLeast(FAULT.started, 8);
    const killed = await failure(kill(handle));
    for (const error of [killed, ...(await Promise.all(bystanders))]) {
      expect(error).toMatchObject({
        code: 'SERVE_REPLICA_DIED',
        statusCode: 500,
        retryable: false,
        replica: before,
      });
    }
    expect(killed.cause).toMatchObject(cause);
    const reason = `replica ${before}: its thread ended: ${(killed.cause as Error).message}`;
    expect(killed.message).toMatch(/^Faulty\.(exit|stray|rejection): /);
    expect(killed.message).toContain(`: ${reason}; the call may have run`);
    const after = await handle.remote();
    expect(after).not.toBe(before);
    expect(serve.status().apps['Faulty']?.deployments['Faulty']).toMatchObject({ restarts: 1, queued: 0 });
    expect(serve.log.records.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('runs out of heap', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const error = await failure(handle.fillHeap.remote());
    expect(error).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(error.cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });

  test('has a young generation that Node can let go of when the heap is full (decision 010)', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { resourceLimits: { maxOldGenerationSizeMb: 32 } });
    expect(await handle.limits.remote()).toEqual({ young: 48, old: 32 });
  });

  test('its siblings are not touched, and calls go on there', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { numReplicas: 2 });
    await status(serve, 'Faulty', 'Faulty', 'HEALTHY');
    const died = failure(handle.exit.remote(1));
    const others = await Promise.all(
      Array.from({ length: 20 }, () => handle.remote().catch((e: ServeError) => e.code)),
    );
    expect(await died).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(others.some((outcome) => outcome.startsWith('Faulty#'))).toBe(true);
    await status(serve, 'Faulty', 'Faulty', 'HEALTHY');
    expect(serve.status().apps['Faulty']?.deployments['Faulty']?.replicaStates).toEqual({ RUNNING: 2 });
  });

  test('a calling replica hears of it as well', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(relay.bind(faulty.options(IMPATIENT).bind(shared.buffer)));
    const relayed = failure(handle.hang.remote());
    await shared.atLeast(FAULT.started, 1);
    const child = serve.handle<typeof Faulty>('Faulty', { app: 'Relay' });
    await failure(child.exit.remote(3));
    expect(await relayed).toMatchObject({ code: 'SERVE_REPLICA_DIED', deployment: 'Faulty' });
  });

  test('a calling replica that dies gives back what it held: places, and places in the queue', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const child = faulty.options({ ...IMPATIENT, maxOngoingRequests: 4, maxQueuedRequests: 100 });
    const handle = await serve.run(relay.bind(child.bind(shared.buffer)));
    const report = () => serve.status().apps['Relay']?.deployments['Faulty'];
    const died = failure(handle.floodAndDie.remote(50));
    await eventually(() => report()?.queued === 46);
    expect(report()?.replicas[0]?.ongoing).toBe(4);
    expect(await died).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    await eventually(() => report()?.queued === 0);
    // The four that run hang for ever; the caller's death cancelled them, which they do not look at.
    expect(report()?.replicas[0]?.ongoing).toBe(4);
  });

  test('too many crashes make it unhealthy, with a reason', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { numReplicas: 8, maxOngoingRequests: 1 });
    await status(serve, 'Faulty', 'Faulty', 'HEALTHY');
    await Promise.all(Array.from({ length: 6 }, () => failure(handle.exit.remote(5))));
    await status(serve, 'Faulty', 'Faulty', 'UNHEALTHY');
    expect(serve.status().apps['Faulty']).toMatchObject({
      status: 'UNHEALTHY',
      deployments: { Faulty: { message: expect.stringContaining('the thread exited with code 5') } },
    });
    // Those that are left go on serving.
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });
});

describe('a replica whose event loop does not turn', () => {
  test('takes no calls, is ended when a deadline passes there, and is replaced', async () => {
    await using serve = quietServe();
    const { handle, shared } = await run(serve, { stuckAfterMs: 200, stuckTerminateMs: 60_000 });
    const bystander = failure(handle.hang.remote());
    await shared.atLeast(FAULT.started, 1);
    const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
    const looping = failure(handle.options({ timeoutMs: 600 }).loop.remote());
    await stuck;
    const waiting = handle.remote();
    expect(await looping).toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect(await bystander).toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('its event loop was blocked'),
    });
    expect(await waiting).toMatch(/^Faulty#/);
  });

  test('is ended after stuckTerminateMs at the latest', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { stuckAfterMs: 100, stuckTerminateMs: 400, requestTimeoutMs: 0 });
    expect(await failure(handle.loop.remote())).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });

  test('comes back when it turns again', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve, { stuckAfterMs: 100 });
    const states: string[] = [];
    serve.on('replica', ({ state }) => states.push(state));
    expect(await handle.loop.remote(700)).toBe('looped');
    await eventually(() => states.includes('RUNNING'));
    expect(states).toEqual(['STUCK', 'RUNNING']);
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });
});

describe('health and configuration', () => {
  test('three failed checks in a row replace the replica', async () => {
    await using serve = quietServe();
    const { handle, shared } = await run(serve, { healthCheckPeriodMs: 20 });
    const before = await handle.remote();
    shared.set(FAULT.healthy, -1);
    await event(serve, 'replica', ({ state, replica }) => state === 'STOPPED' && replica === before);
    shared.set(FAULT.healthy, 0);
    expect(await handle.remote()).not.toBe(before);
    expect(serve.log.records.some(({ fields }) => 'err' in fields)).toBe(true);
  });

  test('a start that takes too long is given up', async () => {
    await using serve = quietServe();
    await expect(
      serve.run(slow.options({ startTimeoutMs: 100, maxConstructorRetryCount: 1 }).bind()),
    ).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('did not start within 100 ms'),
    });
  });

  test('a user config reaches every replica at the start, and in place when it changes', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = (userConfig: unknown) =>
      lifecycle.options({ numReplicas: 2, userConfig }).bind({ shared: shared.buffer });
    const handle = await serve.run(app({ threshold: 1 }));
    await status(serve, 'Lifecycle', 'Lifecycle', 'HEALTHY');
    const ask = async () =>
      (await handle.broadcast('call')).map(({ replica, config }) => ({ replica, config }));
    const before = await ask();
    expect(before.map(({ config }) => config)).toEqual([{ threshold: 1 }, { threshold: 1 }]);
    await serve.run(app({ threshold: 2 }));
    const after = await ask();
    expect(after.map(({ config }) => config)).toEqual([{ threshold: 2 }, { threshold: 2 }]);
    expect(after.map(({ replica }) => replica).sort()).toEqual(before.map(({ replica }) => replica).sort());
    expect(shared.get(CELL.constructed)).toBe(2);
  });

  test('a config that reconfigure refuses fails the deployment with its error', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = lifecycle.options({ userConfig: 'bad' }).bind({ shared: shared.buffer });
    await expect(serve.run(app)).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      cause: expect.objectContaining({ message: 'cannot use that config' }),
    });
  });

  test('a user config without reconfigure is refused where it is given', () => {
    const refused = expect.objectContaining({
      code: 'SERVE_INVALID_OPTION',
      message:
        'deployment.userConfig: got an object; allowed: only with a method reconfigure(userConfig), which Faulty does not have',
    });
    expect(() => faulty.options({ userConfig: { a: 1 } })).toThrow(refused);
  });

  test('limits and numbers of replicas change in place', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = (options: DeploymentOptions) =>
      lifecycle.options(options).bind({ shared: shared.buffer, label: 'x' });
    const handle = await serve.run(app({ numReplicas: 1, maxOngoingRequests: 1, maxQueuedRequests: 0 }));
    const first = await handle.remote();
    const held = handle.hold.remote();
    expect(await failure(handle.hold.remote())).toMatchObject({ code: 'SERVE_BACKPRESSURE' });
    await serve.run(app({ numReplicas: 3, maxOngoingRequests: 2 }));
    const replicas = (await handle.broadcast('call')).map(({ replica }) => replica);
    expect(replicas).toHaveLength(3);
    expect(replicas).toContain(first.replica);
    await serve.run(app({ numReplicas: 1, maxOngoingRequests: 2 }));
    await eventually(() => serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.replicas.length === 1);
    expect((await handle.broadcast('call')).map(({ replica }) => replica)).toEqual([first.replica]);
    shared.set(CELL.gate, 1);
    expect(await held).toBe('x');
    expect(shared.get(CELL.disposed)).toBe(2);
  });
});

describe('values that cannot cross', () => {
  test('a result that cannot cross fails its own call only, with its path', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve);
    const [bad, good] = await Promise.all([failure(handle.uncloneable.remote()), handle.remote()]);
    expect(bad).toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringContaining('uncloneable(result).deep[0]'),
    });
    expect(good).toMatch(/^Faulty#/);
  });

  test('what is thrown arrives, whatever it is', async () => {
    await using serve = quietServe();
    const { handle } = await run(serve);
    expect(await failure(handle.throwsNothing.remote())).toBeNull();
    expect(await failure(handle.throwsFunction.remote())).toMatchObject({ code: 'SERVE_NOT_SERIALIZABLE' });
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });
});
