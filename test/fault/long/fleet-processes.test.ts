import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { Release } from '../../support/blocking.ts';
import { ClosedLoop } from '../../support/fleet/closed-loop.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start and are found out, on a busy machine. */
const LIMIT_MS = 120_000;

interface Fleet extends AsyncDisposable {
  readonly members: readonly Member[];
  readonly caller: FleetInstance;
  readonly handle: DeploymentHandle<Probe>;
}

/** App processes with one replica of 4 places each, and an instance that calls them and has none. */
async function together(count: number): Promise<Fleet> {
  const resources = new AsyncDisposableStack();
  const members = await Promise.all(Array.from({ length: count }, () => Member.start()));
  for (const member of members) resources.use(member);
  const caller = resources.use(await fleetInstance({ peers: members.map(({ address }) => address) }));
  const handle = caller.serve.handle<Probe>('probe');
  await eventually(async () => {
    const pids = await Promise.all(Array.from({ length: 4 * count }, () => handle.hold.remote(20))).catch(
      () => [],
    );
    return new Set(pids).size === count;
  }, LIMIT_MS);
  return { members, caller, handle, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

describe('an instance that dies under load takes only calls with it that it had been handed and that may not be repeated', () => {
  test.each<[string, (dies: Member, handle: DeploymentHandle<Probe>) => void]>([
    ['10: killed from outside', (dies) => dies.kill()],
    ['9: killed by a replica of its own', (_dies, handle) => handle.kill.remote().catch(() => {})],
  ])(
    '%s',
    async (_what, kill) => {
      await using fleet = await together(3);
      const { members, caller, handle } = fleet;
      const load = new ClosedLoop(handle, 10, 5);
      await eventually(
        () => members.every(({ pid }) => load.ended.some((call) => call.pid === pid)),
        LIMIT_MS,
      );
      kill(members[0] as Member, handle);
      await eventually(() => members.some(({ hasEnded }) => hasEnded), LIMIT_MS);
      const dead = members.find(({ hasEnded }) => hasEnded) as Member;
      await eventually(() => caller.fleet.peers.length === 2, LIMIT_MS);
      load.turn();
      await eventually(() => load.since.length >= 300, LIMIT_MS);
      await load.stop();
      // Every call has ended once; nothing is pending.
      expect(load.ended).toHaveLength(load.made);
      expect(load.since.filter(({ code }) => code !== 'ok')).toEqual([]);
      expect(load.since.filter(({ pid }) => pid === dead.pid)).toEqual([]);
      // What its places and its landing hold.
      expect(load.failed.length).toBeLessThanOrEqual(10);
      for (const call of load.failed)
        expect(call).toMatchObject({
          code: 'SERVE_REPLICA_DIED',
          isIdempotent: false,
          instance: dead.instance,
        });
    },
    LIMIT_MS,
  );
});

test(
  '13: the host loop of an instance is blocked for 5 s and more: calls to its replicas go on, and no link is closed',
  async () => {
    await using fleet = await together(2);
    const { members, caller, handle } = fleet;
    const [blocked] = members as [Member];
    const peers: string[] = [];
    caller.serve.on('peer', ({ instance, state }) => peers.push(`${instance} ${state}`));
    const load = new ClosedLoop(handle, 2, 5);
    using release = new Release();
    const over = blocked.tell({ type: 'block', until: release.path });
    await eventually(() => load.ended.length >= 20, LIMIT_MS);
    load.turn();
    const during = (): number => load.since.filter(({ pid }) => pid === blocked.pid).length;
    await eventually(() => during() > 20 && release.ageMs > 5_000, LIMIT_MS);
    release.open();
    await over;
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(peers).toEqual([]);
  },
  LIMIT_MS,
);

test(
  '11: a process is frozen for 30 s and thawed: no replica dies, no expired call is run, its link is back',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inserve-frozen-'));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rmSync(folder, { recursive: true }));
    const fleet = resources.use(await together(2));
    const { members, caller, handle } = fleet;
    const [frozen, other] = members as [Member, Member];
    const log = join(folder, 'log');
    writeFileSync(log, '');
    const before = await frozen.tell({ type: 'replicas' });
    const late = new Set<string>();
    let isThawed = false;
    let isOver = false;
    let made = 0;
    const caller4 = async (): Promise<void> => {
      while (!isOver) {
        const token = `call-${made++}`;
        await handle
          .options({ timeoutMs: 1_500 })
          .mark.remote(token, log, 5)
          .catch(() => isThawed || late.add(token));
      }
    };
    frozen.process.kill('SIGSTOP');
    const begun = readFileSync(log, 'utf8').length;
    const callers = [1, 2, 3, 4].map(caller4);
    const thawAt = performance.now() + 30_000;
    await eventually(() => caller.fleet.peers.length === 1, LIMIT_MS);
    // No call waits for it any more.
    await eventually(() => made > 200, LIMIT_MS);
    expect(new Set(await Promise.all([1, 2, 3].map(() => handle.hold.remote(1))))).toEqual(
      new Set([other.pid]),
    );
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, thawAt - performance.now())));
    isThawed = true;
    frozen.process.kill('SIGCONT');
    await eventually(() => caller.fleet.peers.length === 2, LIMIT_MS);
    const answered = (): boolean => readFileSync(log, 'utf8').slice(begun).includes(`${frozen.pid} `);
    await eventually(answered, LIMIT_MS);
    isOver = true;
    await Promise.all(callers);
    expect(late.size).toBeGreaterThan(0);
    const ran = readFileSync(log, 'utf8').slice(begun).split('\n');
    expect(
      ran.filter((line) => line.startsWith(`${frozen.pid} `) && late.has(line.split(' ')[1] as string)),
    ).toEqual([]);
    expect(await frozen.tell({ type: 'replicas' })).toEqual(before);
  },
  2 * LIMIT_MS,
);
