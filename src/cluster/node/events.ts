import type { ScalingInputs, Wish } from '../../controller/autoscale.ts';
import type { AutoscalingConfig } from '../../deployment/options/autoscaling-config.ts';
import type { Declaration, MemberRecord, MemberState, Overrides, Plan } from '../documents.ts';
import type { BeatAnswer, Hint, Lease, StoreFailure } from '../fleet-store.ts';
import type { OverrideChange } from './overrides.ts';

/** A document with the first bytes of its seal. */
export interface Tagged<T> {
  readonly document: T;
  readonly tag: string;
}

/** A call to the store, in documents. */
export type StoreRequest =
  | {
      readonly op: 'join';
      readonly record: MemberRecord;
      readonly declaration: Declaration;
      readonly version: string;
      readonly versions: Readonly<Record<string, number>>;
    }
  | {
      readonly op: 'beat';
      readonly lease: Lease | undefined;
      readonly slice: number;
      readonly declaration: string;
    }
  | { readonly op: 'lease'; readonly owner: string; readonly floor: number }
  | { readonly op: 'release'; readonly owner: string }
  | { readonly op: 'override'; readonly expected: number; readonly document: Overrides }
  | { readonly op: 'plan'; readonly owner: string; readonly expected: number; readonly document: Plan }
  | {
      readonly op: 'read';
      readonly members: readonly string[];
      readonly declarations: readonly string[];
      readonly overrides: boolean;
      readonly plan: boolean;
      readonly versions: boolean;
    }
  | { readonly op: 'leave'; readonly id: string; readonly isOnlyIfDead: boolean };

export type StoreAnswer =
  | { readonly op: 'join'; readonly versions: Readonly<Record<string, number>> }
  | { readonly op: 'beat'; readonly answer: BeatAnswer }
  | { readonly op: 'lease' | 'release'; readonly lease: Lease | undefined }
  | { readonly op: 'override'; readonly isAccepted: boolean; readonly tag: string }
  | { readonly op: 'plan'; readonly isAccepted: boolean }
  | {
      readonly op: 'read';
      readonly members: readonly { readonly record: MemberRecord; readonly revision: string }[];
      readonly declarations: readonly { readonly hash: string; readonly declaration: Declaration }[];
      readonly overrides: Tagged<Overrides> | undefined;
      readonly plan: Plan | undefined;
      readonly versions: Readonly<Record<string, number>>;
      /** Names of the unusable documents, with the reasons. */
      readonly unreadable: readonly string[];
      /** Names of those that newer code wrote, in a format that this code does not know. */
      readonly newer: readonly string[];
      /** Names of those that were not sealed with a secret of this instance. */
      readonly forged: readonly string[];
    }
  | { readonly op: 'leave' };

/** State of a deployment on one instance. */
export interface LocalLoad {
  /** Number of replicas that the instance aims at. */
  readonly target: number;
  readonly running: number;
  readonly starting: number;
  readonly queued: number;
  readonly ongoing: number;
  /** Total number of ended calls. */
  readonly ended: number;
  /** Total number of failed starts. */
  readonly failures: number;
  /**
   * The running replicas with the last values of their `recordAutoscalingStats()`; only of deployments with an
   * autoscaling policy, which asks for them.
   */
  readonly replicas?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A question to the autoscaling policy of a deployment. */
export interface Consultation extends Required<Pick<LocalLoad, 'replicas'>> {
  readonly deployment: string;
  readonly config: AutoscalingConfig;
  readonly target: number;
  /** The load of the whole fleet. Times are those of the fleet thread's clock. */
  readonly inputs: ScalingInputs;
}

export type LocalLoads = Readonly<Record<string, LocalLoad>>;

/** The frames that instances exchange over links. Every link is authenticated. */
export type FleetFrame =
  | { readonly kind: 'hello'; readonly record: MemberRecord; readonly floor: number }
  | {
      readonly kind: 'status';
      readonly state: MemberState;
      readonly hostLagMs: number;
      /** Running replicas by deployment. */
      readonly running: Readonly<Record<string, number>>;
      /** Apps with an earlier version, to which `rollback` returns; undefined: the host has not told yet. */
      readonly revertible?: readonly string[] | undefined;
      /** Members that refused the connection and have no link. */
      readonly refused: readonly string[];
    }
  | { readonly kind: 'report'; readonly isFull: boolean; readonly loads: LocalLoads }
  | { readonly kind: 'demand'; readonly deployment: string }
  | { readonly kind: 'leader'; readonly owner: string; readonly token: number }
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'refused'; readonly number: number; readonly floor: number; readonly reason: string };

/** Reason for which a link ended or could not be made. */
export type LinkEnd = 'refused' | 'closed' | 'timeout';

export type FleetEvent =
  | { readonly type: 'tick' }
  | { readonly type: 'stored'; readonly call: number; readonly answer: StoreAnswer }
  /** @param detail the error as the store words it */
  | {
      readonly type: 'storeFailed';
      readonly call: number;
      readonly failure: StoreFailure;
      readonly detail?: string;
    }
  | { readonly type: 'hint'; readonly hint: Hint }
  | { readonly type: 'linkUp'; readonly peer: string }
  | { readonly type: 'linkDown'; readonly peer: string; readonly cause: LinkEnd }
  | { readonly type: 'frame'; readonly peer: string; readonly frame: FleetFrame }
  | { readonly type: 'declared'; readonly hash: string; readonly declaration: Declaration }
  | {
      readonly type: 'hostReport';
      readonly loads: LocalLoads;
      readonly hostLagMs: number;
      readonly isReady: boolean;
      /** Apps with an earlier version, to which `rollback` returns. */
      readonly revertible?: readonly string[];
    }
  /** A call waits for a deployment that has no replica. */
  | { readonly type: 'demand'; readonly deployment: string }
  | { readonly type: 'command'; readonly command: number; readonly change: OverrideChange }
  /** The policies of deployments, which run on the host's thread, have answered. */
  | { readonly type: 'advice'; readonly wishes: Readonly<Record<string, Wish>> }
  /** The instance shall leave the fleet. */
  | { readonly type: 'close'; readonly timeoutMs: number };

/** Reason for which an instance changed its target counts. */
export type TargetCause = 'boot' | 'alone' | 'plan' | 'demand';

export type FleetEffect =
  | { readonly type: 'store'; readonly call: number; readonly request: StoreRequest }
  | { readonly type: 'dial'; readonly peer: string; readonly address: string }
  | { readonly type: 'send'; readonly peer: string; readonly frame: FleetFrame }
  | {
      readonly type: 'apply';
      readonly targets: Readonly<Record<string, number>>;
      /** Deployments among them that no plan covers yet: their counts are not wanted, only kept. */
      readonly undecided: readonly string[];
      readonly cause: TargetCause;
    }
  | { readonly type: 'leader'; readonly owner: string; readonly token: number }
  /** Asks for the results of deployments' policies, while this instance leads. */
  | { readonly type: 'consult'; readonly consultations: readonly Consultation[] }
  | { readonly type: 'member'; readonly id: string; readonly isAlive: boolean }
  | { readonly type: 'commandDone'; readonly command: number; readonly failure: string | undefined }
  | { readonly type: 'fault'; readonly cause: string; readonly message: string }
  | { readonly type: 'closed' };
