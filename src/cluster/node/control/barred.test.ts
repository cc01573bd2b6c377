import { expect, test } from 'vitest';
import { demandOf } from '../../../deployment/options/resources.ts';
import type { LocalLoad } from '../events.ts';
import { Reports } from '../reports.ts';
import { FLEET_TIMING } from '../timing.ts';
import { Barred } from './barred.ts';
import type { DesiredDeployment } from './merge.ts';

const { barredMs } = FLEET_TIMING;
const KEY = 'shop/x';
const DESIRED: DesiredDeployment = {
  key: KEY,
  app: 'shop',
  numReplicas: 1,
  autoscaling: undefined,
  minReplicasPerInstance: 0,
  maxReplicasPerInstance: undefined,
  demand: demandOf({}),
  hosts: ['a', 'b'],
  isDeleted: false,
  policy: undefined,
};
const FAILING: LocalLoad = {
  target: 1,
  running: 0,
  starting: 1,
  queued: 0,
  ongoing: 0,
  ended: 0,
  failures: 1,
};

/** Two instances on which the deployment does not start. */
function failing(): { readonly barred: Barred; readonly reports: Reports } {
  const barred = new Barred(FLEET_TIMING);
  const reports = new Reports(FLEET_TIMING);
  for (const id of ['a', 'b'])
    reports.take(id, { kind: 'report', isFull: true, loads: { [KEY]: FAILING } }, 0);
  barred.update(new Set(['a', 'b']), [DESIRED], reports, 0);
  return { barred, reports };
}

test('an instance that is gone is forgotten once its time is over', () => {
  const { barred, reports } = failing();
  reports.drop('b');
  barred.update(new Set(['a']), [DESIRED], reports, barredMs - 1);
  expect(barred.has(KEY, 'b', barredMs - 1)).toBe(true);
  barred.update(new Set(['a']), [DESIRED], reports, barredMs);
  expect(barred.size).toBe(1);
});

test('a deployment that is gone is forgotten once its time is over', () => {
  const { barred, reports } = failing();
  barred.update(new Set(['a', 'b']), [], reports, 1);
  expect(barred.size).toBe(2);
  barred.update(new Set(['a', 'b']), [], reports, barredMs);
  expect(barred.size).toBe(0);
});

test('an instance that fails again is barred for longer', () => {
  const { barred, reports } = failing();
  reports.take(
    'a',
    { kind: 'report', isFull: false, loads: { [KEY]: { ...FAILING, failures: 2 } } },
    barredMs,
  );
  barred.update(new Set(['a', 'b']), [DESIRED], reports, barredMs);
  expect(barred.allowed(KEY, ['a', 'b'], 2 * barredMs)).toEqual(['b']);
});
