import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Front, front, type Probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), 'inserve-fleet-'));
const gate = join(folder, 'gate');
const log = join(folder, 'log');
const resources = new AsyncDisposableStack();
let members: [Member, Member];
let caller: FleetInstance;
let handle: DeploymentHandle<Front>;

beforeAll(async () => {
  writeFileSync(log, '');
  resources.defer(() => rmSync(folder, { recursive: true }));
  members = await Promise.all([Member.start(), Member.start()]);
  for (const member of members) resources.use(member);
  caller = resources.use(await fleetInstance({ peers: members.map(({ address }) => address) }));
  await caller.serve.run(front.bind(), { name: 'front' });
  handle = caller.serve.handle<Front>('front');
  await eventually(() =>
    handle.many.remote(8, 20).then(
      (pids) => new Set(pids).size === 2,
      () => false,
    ),
  );
}, START_MS);

afterAll(() => resources.disposeAsync());

test('replicas call peers through the fleet thread, within the limits of the peers', async () => {
  const pids = await handle.many.remote(200, 5);
  expect(new Set(pids)).toEqual(new Set(members.map(({ pid }) => pid)));
  const peaks = await caller.serve.handle<Probe>('probe').broadcast('peak');
  for (const peak of peaks) expect(peak).toBeLessThanOrEqual(4);
});

test('values, errors and streams pass', async () => {
  const value = { bytes: new Uint8Array(100_000).fill(3), of: new Map([['a', new Set([1n])]]) };
  expect(await handle.echo.remote(value)).toEqual(value);
  await expect(handle.fail.remote('no')).rejects.toThrow(new RangeError('no'));
  const seen: number[] = [];
  for await (const at of handle.count.remote(300)) seen.push(at);
  expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => index));
});

test('a handle in an argument works in the replica of this instance', async () => {
  const pid = await handle.through.remote(caller.serve.handle<Probe>('probe'));
  expect(members.map((member) => member.pid)).toContain(pid);
});

test(
  'the death of a peer loses only calls that it had begun and that may not be repeated',
  async () => {
    const [dies, stays] = members;
    const once = Array.from({ length: 8 }, (_, index) =>
      handle.stay.remote(false, `once-${index}`, log, gate),
    );
    const again = Array.from({ length: 8 }, (_, index) =>
      handle.stay.remote(true, `again-${index}`, log, gate),
    );
    const outcomes = Promise.allSettled([...once, ...again]);
    const begunAt = (pid: number): string[] =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${pid} `))
        .map((line) => line.split(' ')[1] as string);
    await eventually(() => begunAt(dies.pid).length === 4 && begunAt(stays.pid).length === 4);
    dies.kill();
    writeFileSync(gate, '');
    const settled = await outcomes;
    const lost = new Set(begunAt(dies.pid));
    settled.forEach((outcome, index) => {
      const token = index < 8 ? `once-${index}` : `again-${index - 8}`;
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
        expect(index).toBeLessThan(8);
      } else {
        expect(outcome.value).toBe(stays.pid);
        if (index < 8) expect(lost.has(token)).toBe(false);
      }
    });
  },
  START_MS,
);
