import type { AutoscalingConfig } from '../deployment/options/autoscaling-config.ts';
import type { Amounts, Demand } from '../deployment/options/resource-units.ts';
import type { TrafficSplitConfig } from '../handle/routing/traffic-split.ts';
import type { Scale, TargetCapacity } from '../store/snapshot.ts';

/** Highest format of the documents that this code reads and writes. */
export const DOCUMENT_FORMAT = 1;

/**
 * State of a member. `joining`: the instance is not ready yet; `draining`: it takes no more calls and its replicas move
 * elsewhere.
 */
export type MemberState = 'joining' | 'up' | 'draining';

/** An instance's record of itself. The record changes seldom: changing data travels over links. */
export interface MemberRecord {
  readonly format: number;
  readonly id: string;
  /** Number of this life of the instance within the fleet. */
  readonly epoch: number;
  /** Address at which peers reach the instance: host and port. */
  readonly address: string;
  /** Fingerprint of the instance's certificate, or empty. */
  readonly certificate: string;
  readonly protocols: readonly number[];
  readonly codeVersion: string;
  /** Hash of the instance's declaration. */
  readonly declaration: string;
  /** Resources that the instance's replicas may use, in resource units. */
  readonly resources: Amounts;
  readonly gpus: number;
  readonly zone: string;
  readonly state: MemberState;
}

/** Replica counts of one deployment, as code or a person asks for them. */
export interface ScaleOptions {
  readonly numReplicas: number;
  /** Autoscaling options; undefined: the count is fixed. */
  readonly autoscaling: AutoscalingConfig | undefined;
  /** Minimum number of replicas on each eligible instance. */
  readonly minReplicasPerInstance: number;
  /** Maximum number of replicas on each instance; undefined: as many as fit. */
  readonly maxReplicasPerInstance: number | undefined;
}

export interface DeclaredDeployment extends ScaleOptions {
  readonly name: string;
  readonly fingerprint: string;
  readonly version: string;
  readonly demand: Demand;
  readonly methods: readonly string[];
  /** Hash of the file that defines the deployment: equal fingerprints with unequal files are a fault. */
  readonly moduleHash: string;
  /** The policy that decides the number of replicas in place of the load: of the deployment, or of its app. */
  readonly policy?: 'own' | 'app';
  /** Generation of the config whose options the instance has applied; 0: none. */
  readonly configured: number;
}

/** An app as which a new version of another app is tried. */
export interface DeclaredTrial extends Pick<TrafficSplitConfig, 'kind' | 'share' | 'seed'> {
  /** Name of the other app. */
  readonly of: string;
}

export interface DeclaredApp {
  readonly name: string;
  readonly routePrefix: string | null;
  /** Undefined: the app is not a trial. */
  readonly trial: DeclaredTrial | undefined;
  /** Generation of the deletion that a later `run` on the instance reverts; 0: none. */
  readonly lifts: number;
  readonly deployments: readonly DeclaredDeployment[];
}

/** The apps that an instance's code declares. Instances of one release share a declaration. */
export interface Declaration {
  readonly format: number;
  readonly codeVersion: string;
  readonly apps: readonly DeclaredApp[];
}

/** A deletion, which applies to the code that existed when a person asked for it. */
export interface Tombstone {
  readonly generation: number;
  /** Time at which the newest version of the code was first seen: a newer version lifts the deletion. */
  readonly versionAt: number;
}

/** The numbers of replicas of a config, with every default filled in. What is absent stays as the code declares it. */
export interface ConfiguredCounts extends Partial<Omit<ScaleOptions, 'numReplicas'>> {
  /** Set together with `autoscaling`: either replaces both. */
  readonly numReplicas?: number;
}

/** Options that `serve.deploy(config)` gave a deployment in the whole fleet. */
export interface ConfiguredDeployment {
  readonly generation: number;
  /** Time at which the code of the instance that wrote them was first seen. */
  readonly versionAt: number;
  /** The options as the config has them: JSON that each instance applies to the options of its code. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly counts: ConfiguredCounts;
}

/** The end of a trial. */
export interface Verdict {
  readonly generation: number;
  /** Identity of the version on trial: the verdict concerns no other. */
  readonly seed: number;
  readonly isPromoted: boolean;
}

/** Settings by persons, which override the declarations of the code. */
export interface Overrides {
  readonly format: number;
  readonly generation: number;
  /** Writer of the last generation; the time follows. */
  readonly by: string;
  readonly at: number;
  /** Options by `deploy(config)`, by deployment key. */
  readonly configs: Readonly<Record<string, ConfiguredDeployment>>;
  /** Numbers of replicas by `scale()`, by deployment key. */
  readonly scales: Readonly<Record<string, Scale>>;
  /** Deleted apps. */
  readonly tombstones: Readonly<Record<string, Tombstone>>;
  /** Ended trials, by the app as which the new version runs. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** Generations of the orders to go back to the version before, by app. */
  readonly rollbacks: Readonly<Record<string, number>>;
  /** Instances that must be drained. */
  readonly draining: readonly string[];
  readonly capacity: TargetCapacity;
}

/** The number of replicas of each deployment that every instance is to have. */
export interface Plan {
  readonly format: number;
  readonly number: number;
  readonly token: number;
  /** Instance and epoch of the leader that made the plan. */
  readonly owner: string;
  /** Generation of the overrides that the plan follows. */
  readonly generation: number;
  /** Replicas that the plan's instances had before, for the guards of instances that missed the previous plan. */
  readonly previousTotal: number;
  /** The members that the plan was made for. */
  readonly instances: readonly string[];
  /** Counts by deployment key, in the order of the instances. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** Deployments of which no replica is wanted, so that even the last one may go. */
  readonly ending: readonly string[];
  /** Trials that receive calls, by app. */
  readonly shares: Readonly<Record<string, TrafficSplitConfig>>;
}

export const NO_OVERRIDES: Overrides = {
  format: DOCUMENT_FORMAT,
  generation: 0,
  by: '',
  at: 0,
  configs: {},
  scales: {},
  tombstones: {},
  verdicts: {},
  rollbacks: {},
  draining: [],
  capacity: { percent: undefined, direction: undefined },
};

/** Names a deployment across the fleet. */
export function deploymentKey(app: string, deployment: string): string {
  return `${app}/${deployment}`;
}

/** Whether a plan is newer than another one; a later leader's plan always is. */
export function isNewer(
  plan: Pick<Plan, 'token' | 'number'>,
  other: Pick<Plan, 'token' | 'number'> | undefined,
): boolean {
  if (other === undefined) return true;
  return plan.token === other.token ? plan.number > other.number : plan.token > other.token;
}

/** Number of replicas that a plan gives an instance; undefined if the plan does not cover the deployment there. */
export function plannedCount(
  plan: Plan | undefined,
  deployment: string,
  instance: string,
): number | undefined {
  const index = plan && positionIn(plan, instance);
  return index === undefined ? undefined : plan?.counts[deployment]?.[index];
}

const POSITIONS = new WeakMap<Plan, ReadonlyMap<string, number>>();

/** Position of an instance in the lists of a plan, which never changes; undefined if the plan leaves the instance out. */
export function positionIn(plan: Plan, instance: string): number | undefined {
  let found = POSITIONS.get(plan);
  if (found === undefined) {
    found = new Map(plan.instances.map((id, index) => [id, index]));
    POSITIONS.set(plan, found);
  }
  return found.get(instance);
}

export function totalOf(plan: Plan | undefined): number {
  if (plan === undefined) return 0;
  return Object.values(plan.counts).reduce((sum, counts) => counts.reduce((a, b) => a + b, sum), 0);
}
