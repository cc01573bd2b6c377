import { afterAll, describe, expect, test } from 'vitest';
import { type DataOutcome, runDataPlane } from '../support/fleet/data-plane/data-plane.ts';

/** `npm run test:fleet-sim` asks for 1,000. */
const SEEDS = Number(process.env['INSERVE_FLEET_SEEDS'] ?? 50);
const SEEDS_PER_TEST = 25;
const CALLS = 60;

/** A violation with what led to it. */
function told({ seed, script, violations }: DataOutcome): string {
  return violations.length === 0 ? '' : [`seed ${seed}`, ...script, ...violations].join('\n');
}

/**
 * The data plane of five instances by virtual time: the shipped routers, registry, channels, links, windows and connections to
 * peers, while connections break, instances are cut off and killed, and replicas come and go. At every moment no replica has more
 * calls than places; in the end each call has ended once, and none that may not be repeated ran twice.
 */
describe('calls between instances, whatever happens', () => {
  const outcomes: Record<string, number> = {};
  let refusals = 0;
  let shared = 0;

  test.each(
    Array.from({ length: Math.ceil(SEEDS / SEEDS_PER_TEST) }, (_, index) => index * SEEDS_PER_TEST + 1),
  )(
    `seeds from %d, ${SEEDS_PER_TEST} of them`,
    async (first) => {
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
        const outcome = await runDataPlane(seed, CALLS);
        expect(told(outcome)).toBe('');
        refusals += outcome.refusals;
        shared += outcome.shared;
        for (const [name, count] of Object.entries(outcome.outcomes))
          outcomes[name] = (outcomes[name] ?? 0) + count;
      }
    },
    600_000,
  );

  afterAll(() => {
    // Calls that all succeed at once prove little.
    for (const name of ['ok', 'died', 'timeout']) expect(outcomes[name] ?? 0, name).toBeGreaterThan(10);
    expect(outcomes['ok'] ?? 0).toBeGreaterThan(0.7 * SEEDS * CALLS);
    expect(refusals).toBeGreaterThan(10);
    expect(shared).toBeGreaterThan(10);
  });
});

test('the same seed gives the same run', async () => {
  expect(await runDataPlane(7, CALLS)).toEqual(await runDataPlane(7, CALLS));
});
