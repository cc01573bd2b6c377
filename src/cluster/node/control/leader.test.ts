import { expect, test } from 'vitest';
import { declarationOf, declared } from '../../../../test/support/fleet/fixtures.ts';
import { autoscalingOf } from '../../../deployment/options/autoscaling-options.ts';
import { type DeclaredDeployment, type MemberRecord, NO_OVERRIDES } from '../../documents.ts';
import { placesOf, versionKey } from '../declaration.ts';
import type { LocalLoad } from '../events.ts';
import { FLEET_TIMING } from '../timing.ts';
import { Leader, type LeaderView } from './leader.ts';
import { merge } from './merge.ts';

const RECORD: MemberRecord = {
  format: 1,
  id: 'a',
  epoch: 1,
  address: 'a:7411',
  certificate: '',
  protocols: [1],
  resources: { cpus: 80_000 },
  gpus: 0,
  zone: '',
  codeVersion: '1',
  declaration: 'hash',
  state: 'up',
};
const AUTO = declared('x', {
  autoscaling: autoscalingOf(undefined, { minReplicas: 1, maxReplicas: 3 }),
  policy: 'own',
});
const LOAD: LocalLoad = {
  target: 1,
  running: 1,
  starting: 0,
  queued: 0,
  ongoing: 0,
  ended: 0,
  failures: 0,
};

/** A fleet of one, whose code declares these deployments. */
function viewOf(
  deployments: readonly DeclaredDeployment[],
  tombstones = NO_OVERRIDES.tombstones,
): LeaderView {
  const overrides = { ...NO_OVERRIDES, tombstones };
  const merged = merge({
    members: [{ id: 'a', state: 'up', codeVersion: '1', declaration: 'hash' }],
    places: () => placesOf(declarationOf('1', deployments)),
    versions: { [versionKey('1', 'hash')]: 1 },
    firstSeen: new Map([['1', 1]]),
    overrides,
  });
  const members = [{ record: RECORD, state: 'up' as const }];
  return { members, merged, overrides, plan: undefined, changedAt: 0 };
}

/** A leader that has decided about an autoscaled deployment. */
function decided(): Leader {
  const leader = new Leader(FLEET_TIMING, 0, true);
  leader.reports.take('a', { kind: 'report', isFull: true, loads: { 'shop/x': LOAD } }, 0);
  leader.advise({ 'shop/x': 2 }, 0);
  leader.decide(viewOf([AUTO]), 250);
  expect([...leader.decisions.keys()]).toEqual(['shop/x']);
  return leader;
}

test('no decision is left of a deployment that is not autoscaled any more', () => {
  const leader = decided();
  leader.decide(viewOf([declared('x', { numReplicas: 2 })]), 500);
  expect(leader.decisions.size).toBe(0);
  expect(leader.targets).toEqual(new Map([['shop/x', 2]]));
});

test('no decision is left of a deleted app', () => {
  const leader = decided();
  leader.decide(viewOf([AUTO], { shop: { generation: 1, versionAt: 1 } }), 500);
  expect(leader.decisions.size).toBe(0);
});

test('nothing is left of a deployment that stays away', () => {
  const leader = decided();
  leader.decide(viewOf([declared('y')]), 500);
  leader.decide(viewOf([declared('y')]), 500 + FLEET_TIMING.silentMs);
  expect(leader.decisions.size).toBe(0);
  expect(leader.targets).toEqual(new Map([['shop/y', 1]]));
  // The policy is asked anew about a deployment that comes back.
  leader.decide(viewOf([AUTO]), 6_000);
  expect(leader.decisions.get('shop/x')?.reason).toMatch(/has not answered/);
});

test('a deployment keeps its number of replicas while the changed declaration of its only host is read', () => {
  const leader = new Leader(FLEET_TIMING, 0, true);
  leader.reports.take('a', { kind: 'report', isFull: true, loads: { 'shop/x': LOAD } }, 0);
  const autoscaling = autoscalingOf(undefined, { minReplicas: 1, maxReplicas: 3, upscaleDelayMs: 0 });
  const eager = viewOf([declared('x', { autoscaling, policy: 'own' })]);
  leader.advise({ 'shop/x': 3 }, 0);
  for (const now of [250, 500]) leader.decide(eager, now);
  expect(leader.targets).toEqual(new Map([['shop/x', 3]]));
  leader.decide(viewOf([]), 750);
  leader.decide(eager, 1_000);
  expect(leader.targets).toEqual(new Map([['shop/x', 3]]));
});
