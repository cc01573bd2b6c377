import type { FleetView, InstanceState } from '../cluster/member/fleet-view.ts';
import type { AppReport } from '../controller/status.ts';
import { fromUnits } from '../deployment/options/resource-units.ts';
import { routeKey } from '../handle/routing/directory.ts';
import type { ResourceReport } from './resources/resource-ledger.ts';

export interface InstanceStatus {
  readonly id: string;
  /** Address at which other instances of its fleet reach it; undefined without a fleet. */
  readonly address: string | undefined;
  /** Without a fleet `ALIVE` or `CLOSING`. */
  readonly state: 'ALIVE' | 'CLOSING' | InstanceState;
  /** When it was made, like `Date.now()`; undefined for another instance of the fleet. */
  readonly startedAt: number | undefined;
  /** The p99 lag of the host's event loop over the last half second, in ms. */
  readonly lagMs: number;
  /** The resources of the instance, and how much of them replicas have reserved; unknown (0) of another instance. */
  readonly resources: Readonly<Record<string, ResourceReport>>;
  /** Version of the instance's code; in a fleet only. */
  readonly codeVersion?: string;
  /** Version of the protocol between instances; in a fleet only. */
  readonly protocol?: number;
  /** Reason why this instance sends the other one no calls; absent if it does. */
  readonly ejected?: string;
}

/** The fleet, as this instance sees it. */
export interface FleetStatus {
  readonly name: string;
  /** Number of the latest change by an order, such as `scale()` or `deploy(config)`. */
  readonly generation: number;
  /** Number of the plan that this instance follows; 0 = none yet, −1 = one that it made for itself alone. */
  readonly plan: number;
  /** The instance that leads; undefined while none is known. */
  readonly leader: string | undefined;
  /** Fencing token of the leader. */
  readonly token: number;
  readonly redis: 'up' | 'down';
}

export interface StatusReport {
  readonly instance: string;
  /** The instance that leads: this one, unless it is part of a fleet; undefined while none is known. */
  readonly leader: string | undefined;
  /** Undefined outside a fleet, and until the instance has joined. */
  readonly fleet?: FleetStatus;
  readonly instances: readonly InstanceStatus[];
  readonly apps: Readonly<Record<string, AppReport>>;
}

/**
 * @internal
 * @param view undefined outside a fleet, and until the instance has joined
 * @param fleet name of the fleet
 * @param ejected reasons why instances get no calls, by instance
 */
export function statusReport(
  own: InstanceStatus,
  apps: Readonly<Record<string, AppReport>>,
  fleet: string | undefined,
  view: FleetView | undefined,
  ejected: ReadonlyMap<string, string>,
): StatusReport {
  const { id } = own;
  if (fleet === undefined) return { instance: id, leader: id, instances: [own], apps };
  if (view === undefined) return { instance: id, leader: undefined, instances: [own], apps };
  return {
    instance: id,
    leader: view.leader,
    fleet: fleetStatus(fleet, view),
    instances: instanceStatuses(own, view, ejected),
    apps: withFleet(apps, id, view),
  };
}

function fleetStatus(name: string, view: FleetView): FleetStatus {
  const { generation, plan, leader, token, isStoreUp } = view;
  return { name, generation, plan, leader, token, redis: isStoreUp ? 'up' : 'down' };
}

/** @param own the status of this instance outside a fleet */
function instanceStatuses(
  own: InstanceStatus,
  view: FleetView,
  ejected: ReadonlyMap<string, string>,
): InstanceStatus[] {
  const { address, codeVersion, protocol, peers, orders } = view;
  // The order binds the leader alone: the drained instance itself goes on as before.
  const stateOf = (id: string, state: InstanceState): InstanceState =>
    state === 'UP' && orders.draining.includes(id) ? 'DRAINING' : state;
  const others = peers.map((peer): InstanceStatus => {
    const resources = Object.entries(peer.resources).map(
      ([name, units]) => [name, { total: fromUnits(units), reserved: 0 }] as const,
    );
    const { id, lagMs } = peer;
    // An instance that was never reached is known by its address.
    const reason = ejected.get(id) ?? ejected.get(peer.address);
    return {
      id,
      address: peer.address,
      state: stateOf(id, peer.state),
      startedAt: undefined,
      lagMs,
      resources: Object.fromEntries(resources),
      codeVersion: peer.codeVersion,
      protocol: peer.protocol,
      ...(reason !== undefined && { ejected: reason }),
    };
  });
  return [{ ...own, address, state: stateOf(own.id, view.state), codeVersion, protocol }, ...others];
}

/** Adds what runs in the other instances to the reports of this one. */
function withFleet(
  apps: Readonly<Record<string, AppReport>>,
  instanceId: string,
  { totals, peers }: FleetView,
): Record<string, AppReport> {
  const reports = Object.entries(apps).map(([app, report]) => {
    const deployments = Object.entries(report.deployments).map(([name, deployment]) => {
      const key = routeKey(app, name);
      const targetReplicas = totals[key];
      if (targetReplicas === undefined) return [name, deployment] as const;
      const elsewhere = peers.flatMap(({ id, running }) =>
        running[key] ? [[id, running[key]] as const] : [],
      );
      const own = deployment.replicaStates['RUNNING'] ?? 0;
      const running = Object.fromEntries([[instanceId, own] as const, ...elsewhere]);
      return [name, { ...deployment, fleet: { targetReplicas, running } }] as const;
    });
    return [app, { ...report, deployments: Object.fromEntries(deployments) }] as const;
  });
  return Object.fromEntries(reports);
}
