import { expect, test } from 'vitest';
import { Records } from '../../../test/support/quiet.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { Events } from '../../observe/events.ts';
import { LocalLoads, type MeasuredApp } from './local-loads.ts';

const KEY = routeKey('shop', 'Cart');

/** An app with one replica, whose hook `recordAutoscalingStats` is the given one. */
function shop(autoscalingStats: () => Promise<Record<string, number>>): MeasuredApp {
  const replica = {
    replicaId: 'Cart#1',
    hasStats: true,
    state: 'RUNNING',
    isRoutable: true,
    load: new ReplicaLoad(),
    control: { autoscalingStats },
  } as const;
  const cart = { scalable: { target: 1, failedStarts: 0 }, replicas: () => [replica] };
  return { name: 'shop', deployments: [['Cart', cart]] };
}

function measuring(): { readonly loads: LocalLoads; readonly log: Records; readonly events: Events } {
  const log = new Records();
  const events = new Events(() => {});
  return { loads: new LocalLoads({ registry: { load: () => undefined }, events, log }), log, events };
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('the leader gets the values that replicas report for a policy', async () => {
  const { loads } = measuring();
  const app = shop(async () => ({ backlog: 7 }));
  loads.read([app], () => true);
  await turn();
  expect(loads.read([app], () => true)[KEY]?.replicas).toEqual({ 'Cart#1': { backlog: 7 } });
});

test('a hook that fails is reported once, as outside a fleet', async () => {
  const { loads, log, events } = measuring();
  const faults: object[] = [];
  events.on('fault', (fault) => faults.push(fault));
  const error = new Error('no database');
  const app = shop(() => Promise.reject(error));
  for (let round = 0; round < 3; round++) {
    expect(loads.read([app], () => true)[KEY]?.replicas).toEqual({ 'Cart#1': {} });
    await turn();
  }
  const reason = 'recordAutoscalingStats of Cart#1';
  expect(faults).toEqual([{ app: 'shop', deployment: 'Cart', reason, error }]);
  expect(log.records).toEqual([
    { level: 'error', fields: { app: 'shop', deployment: 'Cart', err: error }, message: `${reason} failed` },
  ]);
});
