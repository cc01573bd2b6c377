import { expect, test } from 'vitest';
import { runRandomFaults } from '../support/fleet/random-faults.ts';

/** Runs that found a fault in the fleet's protocol. A change of the simulation may make other runs of them. */
test.each([
  [224, 'a plan stopped the last replica, which had begun to run while its host was blocked'],
  [
    394,
    'a leader proposed more removals than the others obey, since it counted replicas that their plan did not have',
  ],
  [237, 'a token was given out twice: its lease had expired and the clock of the store had jumped back'],
])('seed %d: %s', (seed) => {
  expect(runRandomFaults(seed).leaders()).toHaveLength(1);
});
