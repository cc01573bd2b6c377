import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/testing/random.ts';
import { CallingFleet, type JudgedCall } from '../../support/fleet/callers.ts';
import { mayRepeat } from '../../support/fleet/marked-calls.ts';

/** Limit against hangs: processes of a busy machine may take long to start. */
const LIMIT_MS = 240_000;
const INSTANCES = 3;
const SEED = Number(process.env['INSERVE_LOSS_SEED'] ?? 1);

const random = seededRandom(SEED);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

/** The calls whose end breaks a rule. */
function faultsOf(calls: readonly JudgedCall[]): JudgedCall[] {
  return calls.filter((call) => {
    const { kind, runs, failure } = call;
    // Only what may be repeated runs more than once, and what was answered has run.
    if (runs > 1 && !mayRepeat(kind)) return true;
    if (failure === undefined) return runs === 0;
    if (failure.code !== 'SERVE_REPLICA_DIED' || mayRepeat(kind)) return true;
    // Calls of the host go on over its own links.
    if (call.token.startsWith('host') && failure.cause?.includes('fleet thread of this instance') === true)
      return true;
    // An HTTP client is told no more than the code.
    if (kind === 'upload') return failure.name !== 'HTTP';
    // Large memory moves to the fleet thread, and is gone if the thread dies before it has read the call.
    if (kind === 'large' && call.token.startsWith('replica') && runs === 0 && failure.retryable === true)
      return !failure.message.endsWith('; the call has not run');
    return failure.retryable !== false || !failure.message.endsWith('; the call may have run');
  });
}

/** Each kind of fault, again and again, while all instances call each other. */
const FAULTS: Readonly<Record<string, (fleet: CallingFleet) => Promise<void>>> = {
  // After three deaths in a minute a fleet thread would be away for half a minute.
  async 'fleet threads die'({ callers }) {
    for (const caller of [...callers, ...callers]) {
      await wait(300 + 700 * random());
      await caller.tell({ type: 'destroy' });
    }
    await wait(1_500);
  },
  async 'connections are reset'({ proxies }) {
    for (let count = 0; count < 10; count++) {
      await wait(50 + 500 * random());
      pick(proxies).reset();
    }
  },
  async 'connections pass nothing one way'({ proxies }) {
    const proxy = pick(proxies);
    pick([proxy.toTarget, proxy.toClient]).set({ stall: true });
    await wait(10_000);
    proxy.heal();
  },
  async 'a process is frozen for 5 s'({ callers }) {
    const { process } = pick(callers);
    process.kill('SIGSTOP');
    await wait(5_000);
    process.kill('SIGCONT');
    await wait(1_000);
  },
};

test.each(Object.entries(FAULTS))(
  '%s: only calls fail that a link had sent and that may not be repeated, each once, and none runs twice',
  async (_what, fault) => {
    await using fleet = await CallingFleet.start(INSTANCES, SEED);
    await fleet.load(8, 6);
    await fault(fleet);
    await fleet.linked();
    const calls = await fleet.stop();
    expect(faultsOf(calls)).toEqual([]);
    expect(calls.length).toBeGreaterThan(100);
  },
  LIMIT_MS,
);

test(
  'an instance shuts down, and another one is killed: only calls of the killed one fail',
  async () => {
    await using fleet = await CallingFleet.start(INSTANCES, SEED);
    const [drains, dies] = fleet.callers as [CallingFleet['callers'][0], CallingFleet['callers'][0]];
    await fleet.load(8, 6);
    await wait(500 + 500 * random());
    await drains.tell({ type: 'shutdown' });
    const drained = await drains.tell<{ outcomes: JudgedCall[] }>({ type: 'stop' });
    expect(drained.outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    await wait(500 * random());
    dies.process.kill('SIGKILL');
    await wait(1_000);
    const calls = await fleet.stop();
    expect(faultsOf(calls)).toEqual([]);
    const lost = calls.filter(({ failure }) => failure !== undefined && failure.name !== 'HTTP');
    for (const { failure } of lost) expect(failure?.message).toContain(`instance ${dies.instance} `);
  },
  LIMIT_MS,
);
