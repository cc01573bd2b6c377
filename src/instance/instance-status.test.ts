import { expect, test } from 'vitest';
import type { FleetPeer, FleetView } from '../cluster/member/fleet-view.ts';
import { statusReport } from './instance-status.ts';

const PEER: FleetPeer = {
  id: 'other',
  address: '10.0.0.2:7411',
  epoch: 1,
  state: 'UP',
  lagMs: 0,
  codeVersion: '1',
  protocol: 1,
  zone: '',
  resources: {},
  gpus: 0,
  running: {},
  revertible: [],
};

const VIEW: Partial<FleetView> = {
  address: '10.0.0.1:7411',
  state: 'UP',
  codeVersion: '1',
  protocol: 1,
  totals: {},
  orders: { configs: {}, verdicts: {}, rollbacks: {}, draining: [] },
  peers: [PEER, { ...PEER, id: 'third', address: '10.0.0.3:7411' }],
};

const OWN = { id: 'own', address: undefined, state: 'ALIVE', startedAt: 0, lagMs: 0, resources: {} } as const;

function ejectedIn(ejected: ReadonlyMap<string, string>): (string | undefined)[] {
  const { instances } = statusReport(OWN, {}, 'fleet', VIEW as FleetView, ejected);
  return instances.map((instance) => instance.ejected);
}

test('the status says why an instance gets no calls, known by its id or, never reached, by its address', () => {
  expect(ejectedIn(new Map())).toEqual([undefined, undefined, undefined]);
  expect(ejectedIn(new Map([['other', 'links broke']]))).toEqual([undefined, 'links broke', undefined]);
  expect(ejectedIn(new Map([['10.0.0.3:7411', 'no link']]))).toEqual([undefined, undefined, 'no link']);
});

test('an instance whose replicas were ordered away is draining, unless something else is the matter with it', () => {
  const orders = { configs: {}, verdicts: {}, rollbacks: {}, draining: ['own', 'other', 'third'] };
  const peers = [PEER, { ...PEER, id: 'third', state: 'SUSPECT' as const }, { ...PEER, id: 'fourth' }];
  const view = { ...VIEW, orders, peers } as FleetView;
  const { instances } = statusReport(OWN, {}, 'fleet', view, new Map());
  expect(instances.map(({ state }) => state)).toEqual(['DRAINING', 'DRAINING', 'SUSPECT', 'UP']);
});
