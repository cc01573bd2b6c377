import { expect, test } from 'vitest';
import { FleetTally } from './fleet-counts.ts';

test('totals are taken when one of them has risen since they were taken last', () => {
  const tally = new FleetTally();
  expect(tally.take()).toBe(undefined);
  tally.faults.add('late');
  tally.redisFailed('timeout');
  expect(tally.take()).toEqual({ faults_late: 1, redis_timeout: 1 });
  expect(tally.take()).toBe(undefined);
  tally.faults.add('late');
  expect(tally.take()).toEqual({ faults_late: 2, redis_timeout: 1 });
  tally.redisFailed('timeout');
  expect(tally.take()).toEqual({ faults_late: 2, redis_timeout: 2 });
});
