import { afterAll, describe, expect, test, vi } from 'vitest';
import { type Outcome, simulate } from '../support/simulation/scenario.ts';

// Ids decide where replicas are equal in everything else: counted ones give the same run for the same seed.
const ids = vi.hoisted(() => ({ next: 0 }));
vi.mock('../../src/instance/ids.ts', () => ({
  randomId: (length: number) => String(ids.next++).padStart(length, '0'),
}));

async function run(seed: number): Promise<Outcome> {
  ids.next = 0;
  return simulate(seed);
}

/** A violation with what led to it. */
function told({ seed, script, violations }: Outcome): string {
  return violations.length === 0 ? '' : [`seed ${seed}`, ...script, ...violations].join('\n');
}

const BATCHES = 10;
const SEEDS_PER_BATCH = 50;

/**
 * One instance by virtual time: the shipped store, loop, autoscaler, reconcile and rollout, with replicas that a script of
 * random commands has start slowly, fail, crash and hang. At every moment
 *
 * - the numbers of replicas are within their bounds, and a rollout has no more replicas than its surge allows,
 * - no running replica is stopped that the promised number needs,
 *
 * and in the end every deploy has ended, good versions run as they were asked for, and no target turns again and again.
 */
describe('an instance, whatever happens', () => {
  const counts: Record<string, number> = {};

  test.each(Array.from({ length: BATCHES }, (_, batch) => batch * SEEDS_PER_BATCH + 1))(
    `seeds from %d, ${SEEDS_PER_BATCH} of them`,
    async (first) => {
      for (let seed = first; seed < first + SEEDS_PER_BATCH; seed++) {
        const outcome = await run(seed);
        expect(told(outcome)).toBe('');
        for (const [name, count] of Object.entries(outcome.counts))
          counts[name] = (counts[name] ?? 0) + count;
      }
    },
    180_000,
  );

  afterAll(() => {
    // A script that hardly does anything proves little.
    const needed = [
      'run: done',
      'run: SERVE_DEPLOY_FAILED',
      'canary: done',
      'promote: done',
      'rollback: done',
    ];
    for (const name of [...needed, 'scale: done', 'capacity: done', 'crash', 'load'])
      expect(counts[name] ?? 0, name).toBeGreaterThan(2);
  });
});

test.each([
  // The last replica went although calls came: each of them began and ended between two samples.
  1_123, 1_203, 1_247,
])('seed %d, which failed once', async (seed) => {
  expect(told(await run(seed))).toBe('');
});

test('the same seed gives the same run', async () => {
  expect(await run(7)).toEqual(await run(7));
});
