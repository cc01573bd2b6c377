import { expect, test } from 'vitest';
import { runRandomFaults } from '../support/fleet/random-faults.ts';

/** Runs that found a fault in the fleet's protocol. A change of the simulation may make other runs of them. */
test.each([
  [224, 'a plan stopped the last replica, which had begun to run while its host was blocked'],
  [237, 'a token was given out twice: its lease had expired and the clock of the store had jumped back'],
  [394, 'more removals were proposed than are obeyed: the plan did not have all replicas that were counted'],
  [418, 'a plan was refused for replicas that did not run'],
  [742, 'a replica that was started for want of a leader stayed beside the one of the plan'],
  [972, 'an instance that had stood still stopped its last replica by what it knew from before'],
])('seed %d: %s', (seed) => {
  expect(runRandomFaults(seed).leaders()).toHaveLength(1);
});
