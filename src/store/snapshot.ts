import type { AppSpec } from '../deployment/app-spec.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { DetourConfig } from '../handle/routing/traffic-split.ts';

/**
 * What should run, and where: plain, frozen data that may travel. It holds no argument, module, variable or function; these
 * are `AppSource`, which the fingerprints of the specs lead to on each host.
 */
export interface Snapshot {
  /** What the code of each instance says, by instance. */
  readonly declarations: Readonly<Record<string, Declaration>>;
  readonly overrides: Overrides;
  readonly plan: Plan;
}

/** The apps that the code of one instance deploys, by name. */
export interface Declaration {
  readonly apps: Readonly<Record<string, AppSpec>>;
}

/** What people said beyond the code. */
export interface Overrides {
  /** Grows by one with every change of the overrides. */
  readonly generation: number;
  readonly capacity: TargetCapacity;
  /** Numbers of replicas that `scale()` set, by route key. */
  readonly scales: Readonly<Record<string, Scale>>;
  /** Versions that are tried beside apps, by app. */
  readonly trials: Readonly<Record<string, DetourConfig>>;
}

/** What the controller decided. */
export interface Plan {
  /** Grows by one with every change of the plan. */
  readonly number: number;
  /** Replicas by instance, by route key. A deployment that is absent stays as it is. */
  readonly counts: Readonly<Record<string, ReplicaCounts>>;
  /** Trials that calls go to, by app. */
  readonly shares: Readonly<Record<string, DetourConfig>>;
}

/** Replicas of one deployment by instance. */
export type ReplicaCounts = Readonly<Record<string, number>>;

/** A fixed number of replicas, or the bounds of an autoscaled deployment. */
export type Scale = { readonly replicas: number } | { readonly min: number; readonly max: number };

/** Where a change of the target capacity leads; undefined while there is none. */
export type CapacityDirection = 'up' | 'down' | undefined;

/** A share of every deployment, as `deploy({ targetCapacity })` sets it: for blue-green switches between clusters. */
export interface TargetCapacity {
  /** 0 to 100; undefined: all of it. */
  readonly percent: number | undefined;
  readonly direction: CapacityDirection;
}

export const FULL_CAPACITY: TargetCapacity = { percent: undefined, direction: undefined };

export const EMPTY_SNAPSHOT: Snapshot = {
  declarations: {},
  overrides: { generation: 0, capacity: FULL_CAPACITY, scales: {}, trials: {} },
  plan: { number: 0, counts: {}, shares: {} },
};

/** The entry of a name, which may be one that every object inherits, such as `constructor`. */
export function entryOf<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Replicas that the plan has for a deployment on all instances; undefined: the plan does not know it. */
export function plannedReplicas({ plan }: Snapshot, key: RouteKey): number | undefined {
  const counts = entryOf(plan.counts, key);
  return counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
}
