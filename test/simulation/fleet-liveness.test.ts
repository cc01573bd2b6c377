import { describe, expect, test } from 'vitest';
import { runLiveness } from '../support/fleet/data-plane/liveness.ts';

/** `npm run test:fleet-sim` asks for 1,000. */
const SEEDS = Number(process.env['INSERVE_FLEET_SEEDS'] ?? 50);
const SEEDS_PER_TEST = 25;

describe('no call waits for long while a place is free at an instance that it reaches', () => {
  test.each(
    Array.from({ length: Math.ceil(SEEDS / SEEDS_PER_TEST) }, (_, index) => index * SEEDS_PER_TEST + 1),
  )(
    `seeds from %d, ${SEEDS_PER_TEST} of them`,
    async (first) => {
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
        const { violations, script } = await runLiveness(seed);
        expect(violations.length === 0 ? [] : [`seed ${seed}`, ...script, ...violations]).toEqual([]);
      }
    },
    600_000,
  );
});
