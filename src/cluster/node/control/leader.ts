import {
  replicasForLoad,
  type ScalingDecision,
  type ScalingInputs,
  type Wish,
} from '../../../controller/autoscale.ts';
import { LoadScaler } from '../../../controller/load-scaler.ts';
import type { PendingReplicas } from '../../../controller/place.ts';
import { atCapacity, boundsAt, targetOf } from '../../../controller/target-capacity.ts';
import type { AutoscalingConfig } from '../../../deployment/options/autoscaling-config.ts';
import {
  DOCUMENT_FORMAT,
  type MemberRecord,
  type MemberState,
  type Overrides,
  type Plan,
  plannedCount,
  totalOf,
} from '../../documents.ts';
import { removalsAllowed } from '../guards.ts';
import { Reports } from '../reports.ts';
import type { FleetTiming } from '../timing.ts';
import { Barred } from './barred.ts';
import { desiredInstances } from './desired-instances.ts';
import type { DesiredDeployment, Merged } from './merge.ts';
import { type PlannedDeployment, type PlannedMember, planCounts } from './planner.ts';
import { Rebalancer } from './rebalance.ts';

/** Returns the number of replicas that a deployment's own policy wants; undefined selects the default policy. */
export type FleetPolicy = (
  deployment: string,
  config: AutoscalingConfig,
  target: number,
  inputs: ScalingInputs,
) => Wish | undefined;

export interface LeaderMember {
  readonly record: MemberRecord;
  readonly state: MemberState;
}

export interface LeaderView {
  /** Live members, this instance among them. */
  readonly members: readonly LeaderMember[];
  readonly merged: Merged;
  readonly overrides: Overrides;
  /** The plan that is in force. */
  readonly plan: Plan | undefined;
  /** Time at which a member last came or went. */
  readonly changedAt: number;
}

/** The content of a plan, before the plan has a number. */
export type PlanContent = Pick<
  Plan,
  'generation' | 'previousTotal' | 'instances' | 'counts' | 'ending' | 'shares'
>;

/**
 * The controller of the fleet, which derives the next plan from the reports of all instances. It only proposes plans.
 */
export class Leader {
  readonly #timing: FleetTiming;
  readonly #since: number;
  readonly #isAlone: boolean;
  readonly #policy: FleetPolicy;
  readonly #scalers = new Map<string, LoadScaler>();
  readonly #targets = new Map<string, number>();
  readonly #asking = new Map<string, { readonly id: string; readonly at: number }>();
  readonly #barred: Barred;
  readonly #rebalancer: Rebalancer;
  /** Time at which the last replica of each deployment was given up. */
  readonly #endedAt = new Map<string, number>();
  #removedAt = -Infinity;
  readonly reports: Reports;
  pending: ReadonlyMap<string, PendingReplicas> = new Map();
  readonly decisions = new Map<string, ScalingDecision>();
  /** Number of instances that all wanted replicas need; undefined before the first decision. */
  desiredInstances: number | undefined = undefined;

  /** @param isAlone whether the leader plans only for its own instance, because no fleet is reachable */
  constructor(timing: FleetTiming, since: number, isAlone: boolean, policy: FleetPolicy) {
    this.#timing = timing;
    this.#since = since;
    this.#isAlone = isAlone;
    this.#policy = policy;
    this.reports = new Reports(timing);
    this.#barred = new Barred(timing);
    this.#rebalancer = new Rebalancer(timing);
  }

  /** Replicas wanted in the whole fleet, by deployment. */
  get targets(): ReadonlyMap<string, number> {
    return this.#targets;
  }

  /** Calls wait on an instance for a deployment without replicas. */
  demand(deployment: string, id: string, now: number): void {
    this.#asking.set(deployment, { id, at: now });
  }

  /** The plan was not accepted: withdraws the changes that it began. */
  withdraw(): void {
    this.#rebalancer.abandon();
  }

  /** @returns the next plan; undefined if nothing changes */
  decide(view: LeaderView, now: number): PlanContent | undefined {
    const { plan } = view;
    if (!this.#isAlone && plan === undefined && !this.#isSettled(view, now)) return undefined;
    const members = view.members.filter(({ record }) => this.#isKnown(record.id, plan));
    const ids = members.map(({ record }) => record.id).sort();
    this.#barred.update(ids, view.merged.deployments, this.reports, now);
    const deployments = view.merged.deployments.map((desired) => this.#planned(desired, view, ids, now));
    const planned = members.map(({ record }) => spaceOf(record));
    this.desiredInstances = desiredInstances(deployments, planned);
    const before = ids.reduce((total, id) => total + this.#totalOn(id, view, now), 0);
    // Receivers count from the last plan, which does not contain returning instances.
    const budget = this.#budget(plan === undefined ? before : Math.min(before, totalOf(plan)), now);
    this.#rebalancer.prune(deployments, now);
    const withSurge = deployments.map((each) => ({ ...each, surge: this.#rebalancer.surge(each.key) }));
    const { counts, pending, removed } = planCounts(withSurge, planned, budget);
    const moved = this.#rebalancer.finish(withSurge, counts, budget - removed);
    if (removed + moved > 0) this.#removedAt = now;
    const isWhole = members.length === view.members.length && pending.size === 0;
    if (isWhole && !this.#isAlone) this.#rebalancer.begin(withSurge, counts, planned, view.changedAt, now);
    this.pending = pending;
    const content: PlanContent = {
      generation: view.overrides.generation,
      previousTotal: before,
      instances: ids,
      counts: Object.fromEntries([...counts].map(([key, own]) => [key, ids.map((id) => own.get(id) ?? 0)])),
      ending: deployments.filter(({ isEnding }) => isEnding).map(({ key }) => key),
      shares: view.merged.shares,
    };
    return isSameContent(content, plan) ? undefined : content;
  }

  /** Whether the first plan of a fleet may be made: it waits for the reports of running replicas. */
  #isSettled({ members }: LeaderView, now: number): boolean {
    const waited = now - this.#since;
    if (waited >= 4 * this.#timing.settleMs) return true;
    return waited >= this.#timing.settleMs && members.every(({ record }) => this.reports.has(record.id));
  }

  /** Whether an instance's replicas are known from the last plan or a report; until then they stay. */
  #isKnown(id: string, plan: Plan | undefined): boolean {
    return plan?.instances.includes(id) === true || this.reports.has(id);
  }

  /**
   * Replicas that an instance has so far, by the plan. An instance that the plan leaves out may have started replicas
   * without a leader, as may an instance whose planned count is 0: there the reports count.
   */
  #base(id: string, key: string, plan: Plan | undefined, now: number): number {
    const reported = this.reports.load(id, key)?.target ?? 0;
    if (plan?.instances.includes(id) !== true) return reported;
    const isNone = plan.counts[key]?.every((count) => count === 0) === true;
    // Reports from before the last replica stopped are still on their way.
    const isRecent = now - (this.#endedAt.get(key) ?? -Infinity) < this.#timing.silentMs;
    if (isNone && !isRecent) return reported;
    return plannedCount(plan, key, id) ?? reported;
  }

  #totalOn(id: string, { merged, plan }: LeaderView, now: number): number {
    return merged.deployments.reduce((total, { key }) => total + this.#base(id, key, plan, now), 0);
  }

  #planned(
    desired: DesiredDeployment,
    view: LeaderView,
    ids: readonly string[],
    now: number,
  ): PlannedDeployment {
    const { key, demand, minReplicasPerInstance, maxReplicasPerInstance } = desired;
    const here = desired.hosts.filter((id) => ids.includes(id));
    const fit = here.filter((id) => !this.#barred.has(key, id, now));
    // If the deployment starts nowhere, no instance is better than another.
    const hosts = fit.length > 0 ? fit : here;
    const base = new Map(ids.map((id) => [id, this.#base(id, key, view.plan, now)]));
    const running = new Map(ids.map((id) => [id, this.reports.load(id, key)?.running ?? 0]));
    const asking = this.#asking.get(key);
    const present = [...base.values()].reduce((total, count) => total + count, 0);
    const target = desired.isDeleted ? 0 : this.#target(desired, present, view, ids, now);
    if (target === 0 && this.#targets.get(key) !== 0) this.#endedAt.set(key, now);
    const wanted = desired.isDeleted ? 0 : Math.max(target, minReplicasPerInstance * hosts.length);
    this.#targets.set(key, target);
    return {
      key,
      demand,
      wanted,
      isEnding: wanted === 0,
      surge: 0,
      minPerInstance: minReplicasPerInstance,
      maxPerInstance: maxReplicasPerInstance ?? Infinity,
      hosts,
      base,
      running,
      asking: asking !== undefined && now - asking.at < this.#timing.silentMs ? asking.id : undefined,
    };
  }

  /** @param present replicas that exist so far */
  #target(
    desired: DesiredDeployment,
    present: number,
    view: LeaderView,
    ids: readonly string[],
    now: number,
  ): number {
    const { key, autoscaling } = desired;
    const { percent, direction } = view.overrides.capacity;
    const capacity = { percent, direction };
    if (autoscaling === undefined) {
      this.#scalers.delete(key);
      return atCapacity(desired.numReplicas, percent);
    }
    const planned = view.plan?.counts[key]?.reduce((total, count) => total + count, 0);
    const known = this.#targets.get(key) ?? targetOf(desired, capacity, planned);
    // A replica that was started without a leader counts as wanted.
    const target = known === 0 ? targetOf(desired, capacity, present) : known;
    const scaler = this.#scalers.get(key) ?? new LoadScaler(autoscaling, target);
    this.#scalers.set(key, scaler);
    scaler.follow(autoscaling);
    const load = this.reports.sum(key, ids);
    const asking = this.#asking.get(key);
    const isAsked = load.running === 0 && asking !== undefined && now - asking.at < this.#timing.silentMs;
    scaler.sample(
      {
        at: now,
        running: Math.min(load.running, target),
        queued: isAsked ? Math.max(1, load.queued) : load.queued,
        ongoing: load.ongoing,
        ended: load.ended,
      },
      boundsAt(autoscaling, capacity),
    );
    const decision = scaler.decide(target, this.#wish(desired, autoscaling, target, scaler.inputs, ids, now));
    if (decision !== undefined) this.decisions.set(key, decision);
    return decision?.to ?? target;
  }

  #wish(
    { key, hosts }: DesiredDeployment,
    config: AutoscalingConfig,
    target: number,
    inputs: ScalingInputs | undefined,
    ids: readonly string[],
    now: number,
  ): Wish {
    if (inputs === undefined) return { hold: 'no load was measured yet' };
    const wish = this.#policy(key, config, target, inputs) ?? replicasForLoad(config, target, inputs);
    if (typeof wish === 'object' || wish >= target) return wish;
    // Missing reports must not be mistaken for missing calls.
    const silent = [...new Set([...hosts, ...ids])].find((id) => this.reports.isSilent(id, now));
    return silent === undefined ? wish : { hold: `instance ${silent} is silent` };
  }

  #budget(total: number, now: number): number {
    if (this.#isAlone) return Infinity;
    const isNew = now - this.#since < this.#timing.removalDelayMs;
    const isTooSoon = now - this.#removedAt < this.#timing.removalStepMs;
    return isNew || isTooSoon ? 0 : removalsAllowed(total);
  }
}

function spaceOf({ id, zone, resources, gpus }: MemberRecord): PlannedMember {
  return { id, zone, resources, gpus };
}

function isSameContent(content: PlanContent, plan: Plan | undefined): boolean {
  if (plan === undefined) return false;
  const keys = ['instances', 'counts', 'ending', 'shares'] as const;
  return keys.every((key) => JSON.stringify(content[key]) === JSON.stringify(plan[key]));
}

/** Completes a plan from its content. */
export function planOf(
  content: PlanContent,
  number: number,
  token: number,
  owner: string,
  format: number = DOCUMENT_FORMAT,
): Plan {
  return { format, number, token, owner, ...content };
}
