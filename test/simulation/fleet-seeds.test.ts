import { describe, expect, test } from 'vitest';
import { runRandomFaults } from '../support/fleet/random-faults.ts';

/** `npm run test:fleet-sim` asks for 1,000. */
const SEEDS = Number(process.env['INSERVE_FLEET_SEEDS'] ?? 50);

describe('a fleet under random faults', () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'keeps its invariants, recovers, and comes to rest: seed %d',
    (seed) => {
      expect(runRandomFaults(seed).leaders()).toHaveLength(1);
    },
  );
});
