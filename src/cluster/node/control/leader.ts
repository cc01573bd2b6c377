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
  type MemberRecord,
  type MemberState,
  type Overrides,
  type Plan,
  positionIn,
  totalOf,
} from '../../documents.ts';
import type { Consultation } from '../events.ts';
import { removalsAllowed } from '../guards.ts';
import { Reports } from '../reports.ts';
import type { FleetTiming } from '../timing.ts';
import { Barred } from './barred.ts';
import { desiredInstances } from './desired-instances.ts';
import type { PlannedMember } from './fleet-space.ts';
import type { DesiredDeployment, Merged } from './merge.ts';
import { isSameContent, type PlanContent, runningTrials } from './plan-content.ts';
import { type PlannedDeployment, planCounts, setOf } from './planner.ts';
import { Rebalancer } from './rebalance.ts';

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

/**
 * The controller of the fleet, which derives the next plan from the reports of all instances. It only proposes plans.
 */
export class Leader {
  readonly #timing: FleetTiming;
  readonly #since: number;
  readonly #isAlone: boolean;
  /** Results of the policies of deployments, and their times. */
  readonly #advice = new Map<string, { readonly wish: Wish; readonly at: number }>();
  readonly #scalers = new Map<string, LoadScaler>();
  readonly #targets = new Map<string, number>();
  readonly #asking = new Map<string, { readonly id: string; readonly at: number }>();
  readonly #barred: Barred;
  readonly #rebalancer: Rebalancer;
  /** Time at which the last replica of each deployment was given up. */
  readonly #endedAt = new Map<string, number>();
  /** Time since which each known deployment is declared nowhere. */
  readonly #goneAt = new Map<string, number>();
  #removedAt = -Infinity;
  readonly reports: Reports;
  pending: ReadonlyMap<string, PendingReplicas> = new Map();
  readonly decisions = new Map<string, ScalingDecision>();
  /** Number of instances that all wanted replicas need; undefined before the first decision. */
  desiredInstances: number | undefined = undefined;
  /** Questions to the policies of deployments since the last decision. */
  consultations: Consultation[] = [];

  /** @param isAlone whether the leader plans only for its own instance, because no fleet is reachable */
  constructor(timing: FleetTiming, since: number, isAlone: boolean) {
    this.#timing = timing;
    this.#since = since;
    this.#isAlone = isAlone;
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

  /** The policies of deployments have answered. */
  advise(wishes: Readonly<Record<string, Wish>>, now: number): void {
    for (const [key, wish] of Object.entries(wishes)) this.#advice.set(key, { wish, at: now });
  }

  /** The plan was not accepted: withdraws the changes that it began. */
  withdraw(): void {
    this.#rebalancer.abandon();
  }

  /** @returns the next plan; undefined if nothing changes */
  decide(view: LeaderView, now: number): PlanContent | undefined {
    const { plan } = view;
    if (!this.#isAlone && plan === undefined && !this.#isSettled(view, now)) return undefined;
    this.consultations = [];
    const members = view.members.filter(({ record }) => this.#isKnown(record.id, plan));
    const ids = members.map(({ record }) => record.id).sort();
    const known: KnownMembers = {
      ids,
      unplanned: ids.filter((id) => plan === undefined || positionIn(plan, id) === undefined),
      areAll: members.length === view.members.length,
      silent: ids.find((id) => this.reports.isSilent(id, now)),
    };
    this.#barred.update(setOf(ids), view.merged.deployments, this.reports, now);
    this.#prune(view.merged.deployments, now);
    const deployments = view.merged.deployments.map((desired) => this.#planned(desired, view, known, now));
    const planned = members.map(({ record }) => spaceOf(record));
    this.desiredInstances = desiredInstances(deployments, planned);
    let before = 0;
    for (const { base } of deployments) for (const count of base.values()) before += count;
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
      shares: runningTrials(view.merged, deployments),
    };
    return isSameContent(content, plan) ? undefined : content;
  }

  /** Forgets deployments that are gone, but not at once: a changed declaration is read only after its member's record. */
  #prune(deployments: readonly DesiredDeployment[], now: number): void {
    const keys = new Set(deployments.map(({ key }) => key));
    for (const key of new Set([...this.#targets.keys(), ...this.#advice.keys()])) {
      const goneAt = keys.has(key) ? undefined : (this.#goneAt.get(key) ?? now);
      if (goneAt === undefined) this.#goneAt.delete(key);
      else if (now - goneAt < this.#timing.silentMs) this.#goneAt.set(key, goneAt);
      else this.#forget(key);
    }
    const isOver = (at: number): boolean => now - at >= this.#timing.silentMs;
    for (const [key, { at }] of this.#asking) if (isOver(at)) this.#asking.delete(key);
    for (const [key, at] of this.#endedAt) if (isOver(at)) this.#endedAt.delete(key);
  }

  #forget(key: string): void {
    this.#stopScaling(key);
    this.#targets.delete(key);
    this.#goneAt.delete(key);
  }

  /** Forgets what the autoscaling of a deployment knows and decided. */
  #stopScaling(key: string): void {
    this.#scalers.delete(key);
    this.#advice.delete(key);
    this.decisions.delete(key);
  }

  /** Whether the first plan of a fleet may be made: it waits for the reports of running replicas. */
  #isSettled({ members }: LeaderView, now: number): boolean {
    const waited = now - this.#since;
    if (waited >= 4 * this.#timing.settleMs) return true;
    return waited >= this.#timing.settleMs && members.every(({ record }) => this.reports.has(record.id));
  }

  /** Whether an instance's replicas are known from the last plan or a report; until then they stay. */
  #isKnown(id: string, plan: Plan | undefined): boolean {
    return (plan !== undefined && positionIn(plan, id) !== undefined) || this.reports.has(id);
  }

  /**
   * Replicas that an instance has so far, by the plan. An instance that the plan leaves out may have started replicas
   * without a leader, as may an instance whose planned count is 0: there the reports count.
   */
  #replicasOf(
    key: string,
    { ids, unplanned }: KnownMembers,
    plan: Plan | undefined,
    now: number,
  ): { readonly base: Map<string, number>; readonly running: Map<string, number>; readonly present: number } {
    const members = setOf(ids);
    const active = this.reports.active(key);
    const base = new Map<string, number>();
    let present = 0;
    const add = (id: string, count: number): void => {
      if (count === 0 || !members.has(id)) return;
      base.set(id, count);
      present += count;
    };
    const counts = plan?.counts[key];
    const isNone = counts?.every((count) => count === 0) === true;
    // Reports from before the last replica stopped are still on their way.
    const isRecent = now - (this.#endedAt.get(key) ?? -Infinity) < this.#timing.silentMs;
    if (plan === undefined || counts === undefined || (isNone && !isRecent))
      for (const [id, { target }] of active) add(id, target);
    else {
      for (const [index, id] of plan.instances.entries()) add(id, counts[index] ?? 0);
      for (const id of unplanned) add(id, active.get(id)?.target ?? 0);
    }
    const running = new Map<string, number>();
    for (const [id, load] of active) if (load.running > 0 && members.has(id)) running.set(id, load.running);
    return { base, running, present };
  }

  #planned(
    desired: DesiredDeployment,
    view: LeaderView,
    known: KnownMembers,
    now: number,
  ): PlannedDeployment {
    const { key, demand, minReplicasPerInstance, maxReplicasPerInstance } = desired;
    const { ids, areAll } = known;
    const here = areAll ? desired.hosts : desired.hosts.filter((id) => setOf(ids).has(id));
    const fit = this.#barred.allowed(key, here, now);
    // If the deployment starts nowhere, no instance is better than another.
    const hosts = fit.length > 0 ? fit : here;
    const { base, running, present } = this.#replicasOf(key, known, view.plan, now);
    const asking = this.#asking.get(key);
    if (desired.isDeleted) this.#stopScaling(key);
    const target = desired.isDeleted ? 0 : this.#target(desired, present, view, known, now);
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
    known: KnownMembers,
    now: number,
  ): number {
    const { key, autoscaling } = desired;
    const { percent, direction } = view.overrides.capacity;
    const capacity = { percent, direction };
    if (autoscaling === undefined) {
      this.#stopScaling(key);
      return atCapacity(desired.numReplicas, percent);
    }
    const planned = view.plan?.counts[key]?.reduce((total, count) => total + count, 0);
    const wanted = this.#targets.get(key) ?? targetOf(desired, capacity, planned);
    // A replica that was started without a leader counts as wanted.
    const target = wanted === 0 ? targetOf(desired, capacity, present) : wanted;
    const scaler = this.#scalers.get(key) ?? new LoadScaler(autoscaling, target);
    this.#scalers.set(key, scaler);
    scaler.follow(autoscaling);
    const load = this.reports.sum(key, setOf(known.ids));
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
    const decision = scaler.decide(
      target,
      this.#wish(desired, autoscaling, target, scaler.inputs, known, now),
    );
    if (decision !== undefined) this.decisions.set(key, decision);
    return decision?.to ?? target;
  }

  #wish(
    desired: DesiredDeployment,
    config: AutoscalingConfig,
    target: number,
    inputs: ScalingInputs | undefined,
    known: KnownMembers,
    now: number,
  ): Wish {
    const { ids, areAll } = known;
    if (inputs === undefined) return { hold: 'no load was measured yet' };
    const wish =
      desired.policy === undefined
        ? replicasForLoad(config, target, inputs)
        : this.#ask(desired.key, config, target, inputs, ids, now);
    if (typeof wish === 'object' || wish >= target) return wish;
    // Missing reports must not be mistaken for missing calls.
    const silent = known.silent ?? (areAll ? undefined : desired.hosts.find((id) => !setOf(ids).has(id)));
    return silent === undefined ? wish : { hold: `instance ${silent} is silent` };
  }

  /** A policy is user code, which runs on the host's thread: its last answer counts, and it is asked once more. */
  #ask(
    deployment: string,
    config: AutoscalingConfig,
    target: number,
    inputs: ScalingInputs,
    ids: readonly string[],
    now: number,
  ): Wish {
    const replicas = Object.assign(
      {},
      ...[...this.reports.active(deployment)].map(([id, load]) => (setOf(ids).has(id) ? load.replicas : {})),
    );
    this.consultations.push({ deployment, config, target, inputs, replicas });
    const advice = this.#advice.get(deployment);
    if (advice === undefined || now - advice.at > this.#timing.silentMs)
      return { hold: 'the policy has not answered yet' };
    return advice.wish;
  }

  #budget(total: number, now: number): number {
    if (this.#isAlone) return Infinity;
    const isNew = now - this.#since < this.#timing.removalDelayMs;
    const isTooSoon = now - this.#removedAt < this.#timing.removalStepMs;
    return isNew || isTooSoon ? 0 : removalsAllowed(total);
  }
}

/** The members whose replicas are known. */
interface KnownMembers {
  readonly ids: readonly string[];
  /** Members that the plan leaves out. */
  readonly unplanned: readonly string[];
  /** Whether they are all members. */
  readonly areAll: boolean;
  /** A member whose reports are missing. */
  readonly silent: string | undefined;
}

function spaceOf({ id, zone, resources, gpus }: MemberRecord): PlannedMember {
  return { id, zone, resources, gpus };
}
