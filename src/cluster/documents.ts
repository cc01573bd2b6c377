import type { AutoscalingConfig } from '../deployment/options/autoscaling-config.ts';
import type { Amounts, Demand } from '../deployment/options/resource-units.ts';
import type { TargetCapacity } from '../store/snapshot.ts';

/** Highest format of the documents that this code reads and writes. */
export const DOCUMENT_FORMAT = 1;

/** `joining`: not ready yet; `draining`: it takes no more calls and its replicas move elsewhere. */
export type MemberState = 'joining' | 'up' | 'draining';

/** What an instance says about itself. Changes seldom: everything that moves travels over links. */
export interface MemberRecord {
  readonly format: number;
  readonly id: string;
  /** Counts the lives of the instance within the fleet. */
  readonly epoch: number;
  /** Where its peers reach it: host and port. */
  readonly address: string;
  /** Fingerprint of its certificate, or empty. */
  readonly certificate: string;
  readonly protocols: readonly number[];
  readonly codeVersion: string;
  /** Hash of its declaration. */
  readonly declaration: string;
  /** What its replicas may use, in resource units. */
  readonly resources: Amounts;
  readonly gpus: number;
  readonly zone: string;
  readonly state: MemberState;
}

/** Replica counts of one deployment, as code or a person asks for them. */
export interface ScaleOptions {
  readonly numReplicas: number;
  /** undefined: the count is fixed. */
  readonly autoscaling: AutoscalingConfig | undefined;
  /** Each eligible instance has at least so many. */
  readonly minReplicasPerInstance: number;
  /** undefined: as many as fit. */
  readonly maxReplicasPerInstance: number | undefined;
}

export interface DeclaredDeployment extends ScaleOptions {
  readonly name: string;
  readonly fingerprint: string;
  readonly version: string;
  readonly demand: Demand;
  readonly methods: readonly string[];
  /** Hash of the file that defines it: equal fingerprints with unequal files are a fault. */
  readonly moduleHash: string;
}

export interface DeclaredApp {
  readonly name: string;
  readonly routePrefix: string | null;
  /** Share of the calls that go to it as a trial; undefined: it is no trial. */
  readonly share: number | undefined;
  /** Generation of the deletion that a later `run` on the instance takes back; 0: none. */
  readonly lifts: number;
  readonly deployments: readonly DeclaredDeployment[];
}

/** What the code of an instance says. Instances of one release share it. */
export interface Declaration {
  readonly format: number;
  readonly codeVersion: string;
  readonly apps: readonly DeclaredApp[];
}

/** A deletion, which holds for the code that was there when a person asked for it. */
export interface Tombstone {
  readonly generation: number;
  /** When the newest version of the code was first seen: a newer one lifts the deletion. */
  readonly versionAt: number;
}

/** What persons asked for, over what code declares. */
export interface Overrides {
  readonly format: number;
  readonly generation: number;
  /** Who wrote the last generation, and when. */
  readonly by: string;
  readonly at: number;
  /** Options by deployment key. */
  readonly options: Readonly<Record<string, Partial<ScaleOptions>>>;
  /** Deleted apps. */
  readonly tombstones: Readonly<Record<string, Tombstone>>;
  /** Shares of trials by app: 1 is promoted, 0 rolled back. */
  readonly shares: Readonly<Record<string, number>>;
  /** Instances that are to be emptied. */
  readonly draining: readonly string[];
  readonly capacity: TargetCapacity;
}

/** How many replicas of each deployment every instance is to have. */
export interface Plan {
  readonly format: number;
  readonly number: number;
  readonly token: number;
  /** Instance and epoch of the leader that made it. */
  readonly owner: string;
  /** Generation of the overrides that it follows. */
  readonly generation: number;
  /** Replicas that its instances had before, for the guards of those who missed the plan before it. */
  readonly previousTotal: number;
  /** The members that it was made for. */
  readonly instances: readonly string[];
  /** Counts by deployment key, in the order of the instances. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** Deployments of which no replica is wanted, so that even the last one may go. */
  readonly ending: readonly string[];
  /** Shares of trials by app. */
  readonly shares: Readonly<Record<string, number>>;
}

export const NO_OVERRIDES: Overrides = {
  format: DOCUMENT_FORMAT,
  generation: 0,
  by: '',
  at: 0,
  options: {},
  tombstones: {},
  shares: {},
  draining: [],
  capacity: { percent: undefined, direction: undefined },
};

/** Names a deployment across the fleet. */
export function deploymentKey(app: string, deployment: string): string {
  return `${app}/${deployment}`;
}

/** Whether a plan comes after another one: a later leader's always does. */
export function isNewer(
  plan: Pick<Plan, 'token' | 'number'>,
  other: Pick<Plan, 'token' | 'number'> | undefined,
): boolean {
  if (other === undefined) return true;
  return plan.token === other.token ? plan.number > other.number : plan.token > other.token;
}

/** How many replicas a plan gives an instance; undefined if it says nothing about the deployment there. */
export function plannedCount(
  plan: Plan | undefined,
  deployment: string,
  instance: string,
): number | undefined {
  const index = plan?.instances.indexOf(instance) ?? -1;
  return index === -1 ? undefined : plan?.counts[deployment]?.[index];
}

export function totalOf(plan: Plan | undefined): number {
  if (plan === undefined) return 0;
  return Object.values(plan.counts).reduce((sum, counts) => counts.reduce((a, b) => a + b, sum), 0);
}
