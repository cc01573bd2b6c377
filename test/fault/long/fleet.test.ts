import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { Release } from '../../support/blocking.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), 'inserve-fleet-'));
const resources = new AsyncDisposableStack();
let members: [Member, Member];
let caller: FleetInstance;
let handle: DeploymentHandle<Probe>;

/** The processes that answer this many calls at a time. */
async function answering(calls = 8): Promise<Set<number>> {
  return new Set(await Promise.all(Array.from({ length: calls }, () => handle.hold.remote(20))));
}

beforeAll(async () => {
  resources.defer(() => rmSync(folder, { recursive: true }));
  members = await Promise.all([Member.start(), Member.start()]);
  for (const member of members) resources.use(member);
  caller = resources.use(await fleetInstance({ peers: members.map(({ address }) => address) }));
  handle = caller.serve.handle<Probe>('probe');
  await eventually(() =>
    answering().then(
      ({ size }) => size === 2,
      () => false,
    ),
  );
}, START_MS);

afterAll(() => resources.disposeAsync());

test(
  'a blocked host loop holds up no call of peers, and loses no link',
  async () => {
    const [blocked] = members;
    using release = new Release();
    const over = blocked.tell({ type: 'block', until: release.path });
    let served = 0;
    await eventually(async () => {
      if ((await answering()).has(blocked.pid)) served++;
      return served > 2 && release.ageMs > 2_000;
    });
    expect(caller.fleet.peers).toHaveLength(2);
    release.open();
    await over;
  },
  START_MS,
);

test(
  'a frozen process is found out within 8 s, runs no call that has expired, and is back when it thaws',
  async () => {
    const [frozen, other] = members;
    const log = join(folder, 'frozen');
    const gate = join(folder, 'open');
    writeFileSync(log, '');
    writeFileSync(gate, '');
    frozen.process.kill('SIGSTOP');
    const calls = Array.from({ length: 16 }, (_, index) =>
      handle.options({ timeoutMs: 1_500 }).stay.remote(`${index}`, log, gate),
    );
    const outcomes = await Promise.allSettled(calls);
    const expired = outcomes.filter(({ status }) => status === 'rejected');
    expect(expired.length).toBeGreaterThan(0);
    for (const outcome of expired) expect(outcome).toMatchObject({ reason: { code: 'SERVE_TIMEOUT' } });
    await eventually(() => caller.fleet.peers.length === 1);
    expect(await answering()).toEqual(new Set([other.pid]));
    frozen.process.kill('SIGCONT');
    await eventually(() => caller.fleet.peers.length === 2);
    await eventually(async () => (await answering()).size === 2);
    expect(readFileSync(log, 'utf8')).not.toMatch(new RegExp(`^${frozen.pid} `, 'm'));
  },
  START_MS,
);

test(
  'a peer that closes finishes its calls, and gets no new ones',
  async () => {
    const [closes, stays] = members;
    const running = Array.from({ length: 8 }, () => handle.hold.remote(300));
    const over = closes.tell({ type: 'close' });
    let isOver = false;
    void over.then(() => {
      isOver = true;
    });
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (!isOver) {
      const calls = answering();
      await new Promise((resolve) => setImmediate(resolve));
      // The calls have left, and the peer may have closed its links before this thread reads again.
      Atomics.wait(cell, 0, 0, 300);
      await calls;
    }
    await Promise.all(running);
    expect(await answering()).toEqual(new Set([stays.pid]));
  },
  START_MS,
);
