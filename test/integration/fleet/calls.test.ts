import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), 'inserve-fleet-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file in which replicas write down what they begin. */
class Log {
  readonly path: string;

  constructor(name: string) {
    this.path = join(folder, name);
    writeFileSync(this.path, '');
  }

  get lines(): string[] {
    return readFileSync(this.path, 'utf8').split('\n').slice(0, -1);
  }
}

describe('calls to a deployment that only a peer has', () => {
  let host: Member | undefined;
  let caller: FleetInstance | undefined;
  let handle: DeploymentHandle<Probe>;

  beforeAll(async () => {
    host = await Member.start();
    caller = await fleetInstance({ peers: [host.address] });
    await linked(caller, 1);
    handle = caller.serve.handle<Probe>('probe');
  }, START_MS);

  afterAll(async () => {
    await caller?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  test('come back with their results and errors', async () => {
    expect(await handle.where.remote()).toBe(host?.pid);
    const value = {
      list: [1, 2n, new Map([['a', new Set([1])]])],
      bytes: new Uint8Array([1, 2]),
      at: new Date(5),
    };
    expect(await handle.echo.remote(value)).toEqual(value);
    await expect(handle.fail.remote('no')).rejects.toThrow(new RangeError('no'));
    const failing: unknown = Reflect.get(handle, 'nothing');
    await expect(Reflect.apply(Reflect.get(failing as object, 'remote'), failing, [])).rejects.toThrow(
      /nothing/,
    );
  });

  test('are counted where they enter', async () => {
    await handle.where.remote();
    expect(await caller?.serve.metrics()).toMatch(/serve_requests_total\{[^}]*deployment="Probe"/);
  });

  test('end at their deadlines, which travel', async () => {
    // A call has 30 s by default.
    const remaining = await handle.options({ timeoutMs: 15_000 }).remaining.remote();
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThan(15_001);
    const late = handle.options({ timeoutMs: 50 }).hold.remote(10_000);
    await expect(late).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
  });

  test('are cancelled where they run', async () => {
    const log = new Log('cancelled');
    const response = handle.forever.remote(log.path);
    await handle.echo.remote(1);
    response.cancel();
    await expect(response).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await eventually(() => log.lines.length === 1);
    // All places are free again.
    const all = await Promise.all(Array.from({ length: 8 }, () => handle.hold.remote(5)));
    expect(all).toEqual(all.map(() => host?.pid));
  });

  test('wait at both ends without exceeding the limit, and all are served', async () => {
    const results = await Promise.all(Array.from({ length: 200 }, () => handle.hold.remote(2)));
    expect(results).toHaveLength(200);
    expect(await handle.peak.remote()).toBe(4);
  });

  test('carry large values', async () => {
    const bytes = new Uint8Array(3_000_000).map((_, index) => index * 7);
    const back = (await handle.echo.remote(bytes)) as Uint8Array;
    expect(Buffer.compare(back, bytes)).toBe(0);
    await expect(handle.echo.remote(new SharedArrayBuffer(4))).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
    });
  });
});

describe('a peer that is killed', () => {
  test(
    'loses only calls that it had been handed and that may not be repeated',
    async () => {
      await using stays = await Member.start({ maxOngoingRequests: 4 });
      await using dies = await Member.start({ maxOngoingRequests: 4 });
      await using caller = await fleetInstance({ peers: [stays.address, dies.address] });
      await linked(caller, 2);
      const handle = caller.serve.handle<Probe>('probe');
      const log = new Log('killed');
      const gate = join(folder, 'gate');
      const once = Array.from({ length: 12 }, (_, index) =>
        handle.stay.remote(`once-${index}`, log.path, gate),
      );
      const again = Array.from({ length: 12 }, (_, index) =>
        handle.stayAgain.remote(`again-${index}`, log.path, gate),
      );
      const outcomes = Promise.allSettled([...once, ...again]);
      await eventually(() => log.lines.filter((line) => line.startsWith(`${dies.pid} `)).length >= 4);
      dies.kill();
      writeFileSync(gate, '');
      const settled = await outcomes;
      const begun = new Set(
        log.lines.filter((line) => line.startsWith(`${dies.pid} `)).map((line) => line.split(' ')[1]),
      );
      expect(begun.size).toBeGreaterThan(0);
      settled.slice(0, 12).forEach((outcome, index) => {
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe(stays.pid);
        else expect(outcome.reason).toMatchObject({ code: 'SERVE_REPLICA_DIED', retryable: false });
        if (begun.has(`once-${index}`)) expect(outcome.status).toBe('rejected');
      });
      for (const outcome of settled.slice(12))
        expect(outcome).toEqual({ status: 'fulfilled', value: stays.pid });
      expect(await handle.where.remote()).toBe(stays.pid);
    },
    START_MS,
  );
});

test(
  'a replica that dies at a peer loses the calls that it ran',
  async () => {
    await using host = await Member.start({ replicas: 2, maxOngoingRequests: 1 });
    await using caller = await fleetInstance({ peers: [host.address] });
    await linked(caller, 1);
    const handle = caller.serve.handle<Probe>('probe');
    await expect(handle.die.remote()).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(await handle.where.remote()).toBe(host?.pid);
  },
  START_MS,
);

test(
  'replicas of the instance and of its peer serve one deployment',
  async () => {
    await using host = await Member.start();
    await using caller = await fleetInstance({ peers: [host.address] });
    await caller.serve.run(probe.bind(), { name: 'probe' });
    await eventually(() => caller.fleet.peers.length === 1);
    const handle = caller.serve.handle<Probe>('probe');
    await eventually(async () => {
      const pids = await Promise.all(Array.from({ length: 8 }, () => handle.hold.remote(20)));
      return new Set(pids).size === 2;
    });
    expect(await handle.options({ preferLocal: true }).where.remote()).toBe(process.pid);
    // Once there is plenty of room here, which the replica says a moment after its last answer, calls stay here again.
    await eventually(async () => {
      for (let call = 0; call < 20; call++) if ((await handle.where.remote()) !== process.pid) return false;
      return true;
    });
  },
  START_MS,
);
