import type { AppSpec } from '../deployment/app-spec.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../handle/routing/traffic-split.ts';

/**
 * The desired state and the plan: plain, frozen data that may travel. It holds no argument, module, variable or function; these
 * are `AppSource`, which the fingerprints of the specs lead to on each host.
 */
export interface Snapshot {
  /** The apps that each instance's code declares, by instance. */
  readonly declarations: Readonly<Record<string, Declaration>>;
  readonly overrides: Overrides;
  readonly plan: Plan;
}

/** The apps that the code of one instance deploys, by name. */
export interface Declaration {
  readonly apps: Readonly<Record<string, AppSpec>>;
}

/** Settings made at run time, which override the code. */
export interface Overrides {
  /** Grows by one with every change of the overrides. */
  readonly generation: number;
  readonly capacity: TargetCapacity;
  /** Numbers of replicas set by `scale()`, by route key. */
  readonly scales: Readonly<Record<string, Scale>>;
  /** Versions on trial beside apps, by app. */
  readonly trials: Readonly<Record<string, TrafficSplitConfig>>;
}

/** The decisions of the controller. */
export interface Plan {
  /** Grows by one with every change of the plan. */
  readonly number: number;
  /** Replicas by instance, by route key. A deployment without an entry stays unchanged. */
  readonly counts: Readonly<Record<string, ReplicaCounts>>;
  /** Trials that receive calls, by app. */
  readonly shares: Readonly<Record<string, TrafficSplitConfig>>;
}

/** Replicas of one deployment by instance. */
export type ReplicaCounts = Readonly<Record<string, number>>;

/** A fixed number of replicas, or the bounds of an autoscaled deployment. */
export type Scale = { readonly replicas: number } | { readonly min: number; readonly max: number };

/** Direction of a change of the target capacity; undefined without a change. */
export type CapacityDirection = 'up' | 'down' | undefined;

/** A share of every deployment, as `deploy({ targetCapacity })` sets it: for blue-green switches between clusters. */
export interface TargetCapacity {
  /** 0 to 100; undefined means full capacity. */
  readonly percent: number | undefined;
  readonly direction: CapacityDirection;
}

export const FULL_CAPACITY: TargetCapacity = { percent: undefined, direction: undefined };

export const EMPTY_SNAPSHOT: Snapshot = {
  declarations: {},
  overrides: { generation: 0, capacity: FULL_CAPACITY, scales: {}, trials: {} },
  plan: { number: 0, counts: {}, shares: {} },
};

/** Returns the own entry of a name, which may equal an inherited name such as `constructor`. */
export function entryOf<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Replicas that the plan gives a deployment on all instances; undefined if the plan has no entry for it. */
export function plannedReplicas({ plan }: Snapshot, key: RouteKey): number | undefined {
  const counts = entryOf(plan.counts, key);
  return counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
}
