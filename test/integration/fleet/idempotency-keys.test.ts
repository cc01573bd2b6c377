import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Front, front, type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where threads start, on a busy machine. */
const START_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), 'inserve-keys-'));

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

describe('calls of several instances with one idempotency key', () => {
  const resources = new AsyncDisposableStack();
  let host: FleetInstance;
  let one: DeploymentHandle<Probe>;
  let other: DeploymentHandle<Probe>;
  let behind: DeploymentHandle<Front>;
  let otherInstance: FleetInstance;
  let round = 0;
  let expected = 0;
  let log = '';
  let gate = '';
  let key = '';

  beforeAll(async () => {
    resources.defer(() => rmSync(folder, { recursive: true }));
    host = resources.use(await fleetInstance());
    await host.serve.run(probe.options({ maxOngoingRequests: 2, numReplicas: 1 }).bind(), { name: 'probe' });
    const peers = [await host.fleet.address];
    const callers = [
      resources.use(await fleetInstance({ peers })),
      resources.use(await fleetInstance({ peers })),
    ];
    const [first, second] = callers as [FleetInstance, FleetInstance];
    otherInstance = second;
    one = first.serve.handle<Probe>('probe');
    other = second.serve.handle<Probe>('probe');
    behind = (await first.serve.run(front.bind(), { name: 'front' })) as DeploymentHandle<Front>;
    for (const caller of callers) await linked(caller, 1);
  }, START_MS);

  beforeEach(() => {
    key = `k${++round}`;
    log = join(folder, `log-${round}`);
    gate = join(folder, `gate-${round}`);
  });

  afterAll(() => resources.disposeAsync());

  /** A count of the calls with a key that the instance with the replica did not run. */
  async function counted(name: 'coalesced' | 'replayed'): Promise<number> {
    const line = new RegExp(`^serve_${name}_total\\{app="probe",deployment="Probe"\\} (\\d+)`, 'm');
    return Number(line.exec(await host.serve.metrics())?.[1] ?? 0);
  }

  /** Waits until so many more calls have joined an execution there. */
  async function joined(calls: number): Promise<void> {
    expected += calls;
    await eventually(async () => (await counted('coalesced')) === expected);
  }

  test(
    'share one execution while it runs, and its result afterwards',
    async () => {
      const value = {
        when: new Date(5),
        of: new Map([['a', 1n]]),
        bytes: new Uint8Array(300_000).fill(7),
        error: new RangeError('as a value'),
      };
      const keyed = [one, other].map((handle) => handle.options({ idempotencyKey: key }));
      const calls = [
        ...keyed.map((handle) => handle.stayWith.remote(value, log, gate)),
        behind.stayWith.remote(key, value, log, gate),
      ];
      await joined(2);
      writeFileSync(gate, '');
      const same = {
        ...value,
        error: expect.objectContaining({ name: 'RangeError', message: 'as a value' }),
      };
      for (const result of await Promise.all(calls)) expect(result).toEqual(same);
      const [first, second] = calls as [
        ReturnType<typeof one.stayWith.remote>,
        ReturnType<typeof one.stayWith.remote>,
      ];
      const { instance } = host.serve.status();
      for (const call of [first, second])
        expect(call.explain()).toMatchObject({
          state: 'ok',
          instance,
          replica: expect.stringMatching(/^Probe#/),
        });

      const late = resources.use(await fleetInstance({ peers: [await host.fleet.address] }));
      const newcomer = late.serve.handle<Probe>('probe').options({ idempotencyKey: key });
      await linked(late, 1);
      for (let time = 0; time < 2; time++)
        expect(await newcomer.stayWith.remote(value, log, gate)).toEqual(same);
      expect(linesOf(log)).toHaveLength(1);
      await eventually(async () => (await counted('replayed')) === 1);
    },
    START_MS,
  );

  test('are refused with other arguments, and run for another tenant', async () => {
    writeFileSync(gate, '');
    const [mine, theirs] = [one, other].map((handle) => handle.options({ idempotencyKey: key })) as [
      typeof one,
      typeof other,
    ];
    expect(await mine.stayWith.remote('a', log, gate)).toBe('a');
    await expect(theirs.stayWith.remote('b', log, gate)).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      statusCode: 422,
      message: expect.stringContaining(key),
    });
    expect(await theirs.options({ tenant: 't' }).stayWith.remote('b', log, gate)).toBe('b');
    expect(await theirs.stayWith.remote('a', log, gate)).toBe('a');
    expect(linesOf(log)).toHaveLength(2);
  });

  test('leave alone; the last one takes the execution along', async () => {
    const calls = [one, other].map((handle) => handle.options({ idempotencyKey: key }).forever.remote(log));
    await joined(1);
    calls[0]?.cancel();
    await expect(calls[0]).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    // The replica would have been told before it runs this call.
    await one.where.remote();
    expect(linesOf(log)).toEqual([]);
    calls[1]?.cancel();
    await expect(calls[1]).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await eventually(() => linesOf(log).includes('cancelled'));
  });

  test('keep the deadlines of their callers', async () => {
    const patient = one.options({ idempotencyKey: key }).stayWith.remote(1, log, gate);
    const hurried = other.options({ idempotencyKey: key, timeoutMs: 100 }).stayWith.remote(1, log, gate);
    await joined(1);
    await expect(hurried).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    writeFileSync(gate, '');
    expect(await patient).toBe(1);
  });

  test('take one place of the replica: other calls go on', async () => {
    const handles = [one, other, behind];
    const calls = handles.map((handle) =>
      handle === behind
        ? behind.stayWith.remote(key, 1, log, gate)
        : (handle as typeof one).options({ idempotencyKey: key }).stayWith.remote(1, log, gate),
    );
    await joined(2);
    const others = Array.from({ length: 20 }, (_, index) => (index % 2 ? one : other).hold.remote(1));
    expect(await Promise.all(others)).toHaveLength(20);
    writeFileSync(gate, '');
    expect(await Promise.all(calls)).toEqual([1, 1, 1]);
    expect(linesOf(log)).toHaveLength(1);
  });

  test(
    'outlive the instance of the first of them',
    async () => {
      const late = await fleetInstance({ peers: [await host.fleet.address] });
      await linked(late, 1);
      const gone = late.serve
        .handle<Probe>('probe')
        .options({ idempotencyKey: key })
        .stayWith.remote(1, log, gate);
      gone.catch(() => {});
      await eventually(() => linesOf(log).length === 1);
      const left = otherInstance.serve.handle<Probe>('probe').options({ idempotencyKey: key });
      const call = left.stayWith.remote(1, log, gate);
      await joined(1);
      gone.cancel();
      await late.serve.close();
      writeFileSync(gate, '');
      expect(await call).toBe(1);
      expect(linesOf(log)).toHaveLength(1);
    },
    START_MS,
  );

  test(
    'learn together that their replica has died',
    async () => {
      const calls = [one, other].map((handle) =>
        handle.options({ idempotencyKey: key }).stayWith.remote(1, log, gate),
      );
      await joined(1);
      await one.die.remote().catch(() => {});
      for (const call of calls)
        await expect(call).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED', retryable: false });
      writeFileSync(gate, '');
      await eventually(() => other.where.remote().then(Boolean, () => false), START_MS);
      expect(await other.options({ idempotencyKey: key }).stayWith.remote(1, log, gate)).toBe(1);
    },
    START_MS,
  );

  test('fail together, and a failure is not kept', async () => {
    const failing = [one, other].map((handle) =>
      handle
        .options({ idempotencyKey: key })
        .fail.remote('no')
        .then(null, (error: Error) => error),
    );
    for (const error of await Promise.all(failing))
      expect(error).toMatchObject({ name: 'RangeError', message: 'no' });
    const stream = other.options({ idempotencyKey: `${key} of a stream` }).count.remote(2);
    await expect(stream).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
  });

  test('run once where they pass a handle, whichever instance has made it', async () => {
    const results = [one, other].map((handle) =>
      handle.options({ idempotencyKey: key }).through.remote(handle.options({ tenant: 't' })),
    );
    expect(await Promise.all(results)).toEqual([process.pid, process.pid]);
    await expect(other.options({ idempotencyKey: key }).through.remote(other)).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
    });
  });
});
