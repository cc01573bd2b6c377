import type { MemberState, Overrides, Plan } from '../documents.ts';
import type { FleetNode, FleetSituation } from '../node/fleet-node.ts';

/** State of an instance as the others see it: a suspect lives by the store alone, a dead one by neither store nor link. */
export type InstanceState = 'JOINING' | 'UP' | 'DRAINING' | 'SUSPECT' | 'DEAD';

/** Another instance of the fleet, as plain data. */
export interface FleetPeer {
  readonly id: string;
  readonly address: string;
  readonly epoch: number;
  readonly state: InstanceState;
  readonly lagMs: number;
  readonly codeVersion: string;
  readonly protocol: number;
  readonly zone: string;
  /** Resources in resource units. */
  readonly resources: Readonly<Record<string, number>>;
  readonly gpus: number;
  /** Running replicas by deployment key. */
  readonly running: Readonly<Record<string, number>>;
}

/** Orders of persons that each instance carries out with its own apps. */
export type FleetOrders = Pick<Overrides, 'configs' | 'verdicts' | 'rollbacks' | 'draining'>;

/** What an instance knows about its fleet, as plain data: the fleet thread tells it to the host. */
export interface FleetView {
  /** Address at which peers reach this instance. */
  readonly address: string;
  readonly state: InstanceState;
  readonly codeVersion: string;
  readonly protocol: number;
  readonly generation: number;
  readonly plan: number;
  /** Replicas of each deployment over the fleet, as planned. */
  readonly totals: Readonly<Record<string, number>>;
  readonly leader: string | undefined;
  readonly token: number;
  readonly isLeading: boolean;
  readonly isStoreUp: boolean;
  readonly refusedPlans: number;
  /** Number of instances that the fleet needs for all wanted replicas, as the leader says; undefined elsewhere. */
  readonly desiredInstances: number | undefined;
  /** Apps of this instance that a person deleted from the fleet, with the generation of the deletion. */
  readonly deleted: Readonly<Record<string, number>>;
  /** What persons ordered, as far as instances carry it out themselves. */
  readonly orders: FleetOrders;
  /** Trials that receive calls, by app. */
  readonly trials: Plan['shares'];
  readonly peers: readonly FleetPeer[];
}

const STATES: Readonly<Record<MemberState, InstanceState>> = {
  joining: 'JOINING',
  up: 'UP',
  draining: 'DRAINING',
};

export function viewOf(node: FleetNode): FleetView {
  const {
    plan,
    generation,
    leader,
    token,
    isLeading,
    isStoreUp,
    refusedPlans,
    desiredInstances,
  }: FleetSituation = node.situation;
  const peers = [...node.members].flatMap(({ id, record, isAlive, isLinked, status }): FleetPeer[] => {
    if (record === undefined) return [];
    const state = isAlive ? (isLinked ? STATES[record.state] : 'SUSPECT') : 'DEAD';
    const { address, epoch, codeVersion, zone, resources, gpus } = record;
    const protocol = Math.max(0, ...record.protocols);
    const { hostLagMs: lagMs = 0, running = {} } = status ?? {};
    return [{ id, address, epoch, state, lagMs, codeVersion, protocol, zone, resources, gpus, running }];
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
    deleted: deletedApps(node),
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
