import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { MemberState } from '../documents.ts';
import type { FleetNode, FleetSituation } from '../node/fleet-node.ts';
import type { FleetPeer, FleetView, InstanceState } from './fleet-view.ts';

const STATES: Readonly<Record<MemberState, InstanceState>> = {
  joining: 'JOINING',
  up: 'UP',
  draining: 'DRAINING',
};

export function viewOf(node: FleetNode): FleetView {
  const {
    plan,
    generation,
    areOverridesKnown,
    leader,
    token,
    isLeading,
    isStoreUp,
    refusedPlans,
    desiredInstances,
    decisions,
  }: FleetSituation = node.situation;
  const peers = [...node.members].flatMap(({ id, record, isAlive, isLinked, status }): FleetPeer[] => {
    if (record === undefined) return [];
    const state = isAlive ? (isLinked ? STATES[record.state] : 'SUSPECT') : 'DEAD';
    const { address, epoch, codeVersion, zone, resources, gpus } = record;
    const protocol = Math.max(0, ...record.protocols);
    const { hostLagMs: lagMs = 0, running = {}, revertible } = status ?? {};
    const told = { lagMs, running, revertible };
    return [{ id, address, epoch, state, codeVersion, protocol, zone, resources, gpus, ...told }];
  });
  const totals = Object.entries(plan?.counts ?? {}).map(
    ([key, counts]) => [key, counts.reduce((sum, count) => sum + count, 0)] as const,
  );
  const { address, state, codeVersion, protocols } = node.record;
  const { configs, verdicts, rollbacks, draining } = node.overrides;
  return {
    address,
    state: STATES[state],
    codeVersion,
    protocol: Math.max(0, ...protocols),
    generation,
    plan: plan?.number ?? 0,
    totals: Object.fromEntries(totals),
    leader,
    token,
    isLeading,
    isStoreUp,
    refusedPlans,
    desiredInstances,
    decisions: Object.fromEntries(decisions),
    deleted: deletedApps(node),
    ended: endedApps(node),
    areOrdersKnown: areOverridesKnown,
    orders: { configs, verdicts, rollbacks, draining },
    trials: plan?.shares ?? {},
    peers,
  };
}

/** A deletion is in force once the plan wants no replica of any deployment of the app. */
function deletedApps(node: FleetNode): Record<string, number> {
  const ending = new Set(node.situation.plan?.ending);
  const deleted: Record<string, number> = {};
  for (const [app, { generation }] of Object.entries(node.overrides.tombstones)) {
    const places = [...node.places.values()].filter((place) => place.app.name === app);
    if (places.length > 0 && places.every(({ key }) => ending.has(key))) deleted[app] = generation;
  }
  return deleted;
}

/** Deleted apps that have not been deployed again, by the plan. */
function endedApps(node: FleetNode): string[] {
  const { plan } = node.situation;
  if (plan === undefined) return [];
  const ending = new Set(plan.ending);
  const wanted = Object.keys(plan.counts).filter((key) => !ending.has(key));
  const apps = new Set(wanted.map((key) => namesOf(key as RouteKey)[0]));
  return Object.keys(node.overrides.tombstones).filter((app) => !apps.has(app));
}
