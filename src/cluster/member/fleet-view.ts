import type { ScalingDecision } from '../../controller/autoscale.ts';
import type { Overrides, Plan } from '../documents.ts';

/** State of an instance as the others see it: a suspect lives by the store alone, a dead one by neither store nor link. */
export type InstanceState = 'JOINING' | 'UP' | 'DRAINING' | 'SUSPECT' | 'DEAD';

/** @internal Another instance of the fleet, as plain data. */
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
  /** Apps with an earlier version, to which `rollback` returns; undefined: the instance has not told. */
  readonly revertible: readonly string[] | undefined;
}

/** @internal Orders of persons that each instance carries out with its own apps. */
export type FleetOrders = Pick<Overrides, 'configs' | 'verdicts' | 'rollbacks' | 'draining'>;

/** @internal What an instance knows about its fleet, as plain data: the fleet thread tells it to the host. */
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
  /** The last decision about each autoscaled deployment, as the leader made it; empty elsewhere. */
  readonly decisions: Readonly<Record<string, ScalingDecision>>;
  /** Whether the store has told this life of the fleet thread what persons ordered; until then, deletions and orders are empty. */
  readonly areOrdersKnown: boolean;
  /** Apps of this instance that a person deleted from the fleet, with the generation of the deletion. */
  readonly deleted: Readonly<Record<string, number>>;
  /** Apps that a person deleted from the fleet, and that no instance is to run any more. */
  readonly ended: readonly string[];
  /** The orders that each instance carries out by itself. */
  readonly orders: FleetOrders;
  /** Trials that receive calls, by app. */
  readonly trials: Plan['shares'];
  readonly peers: readonly FleetPeer[];
}
