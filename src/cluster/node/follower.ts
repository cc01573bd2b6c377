import { type Plan, plannedCount } from '../documents.ts';
import type { DeclaredPlace } from './declaration.ts';
import type { TargetCause } from './events.ts';
import { judge, keepLast, type Verdict } from './guards.ts';

/** Number of a plan that an instance made for itself alone, which is older than every other plan. */
export const ALONE_NUMBER = -1;

export interface FollowerView {
  readonly self: string;
  readonly places: ReadonlyMap<string, DeclaredPlace>;
  /** Number of replicas of a deployment that run here, or may run. */
  readonly running: (deployment: string, target: number) => number;
  readonly isDraining: boolean;
  /** Number of replicas of a deployment that run on linked instances. */
  readonly elsewhere: (deployment: string) => number;
}

/** New target counts of an instance. */
export interface ChangedTargets {
  readonly targets: Readonly<Record<string, number>>;
  /** Deployments among them that no plan covers yet: their counts are not wanted, only kept. */
  readonly undecided: readonly string[];
  readonly cause: TargetCause;
}

/** Derives an instance's target counts from the plan, and decides which plans the instance obeys. */
export class Follower {
  #plan: Plan | undefined = undefined;
  #targets: Readonly<Record<string, number>> = {};
  #undecided: ReadonlySet<string> = new Set();
  readonly #demanded = new Map<string, number>();
  /** Number of refused plans. */
  refused = 0;
  /** Number of last replicas that were kept against the plan. */
  kept = 0;

  get plan(): Plan | undefined {
    return this.#plan;
  }

  get targets(): Readonly<Record<string, number>> {
    return this.#targets;
  }

  /** Whether an instance that acts alone made the plan. */
  get isAlone(): boolean {
    return this.#plan?.number === ALONE_NUMBER;
  }

  /** @param floor highest token that the instance has seen */
  offer(plan: Plan, floor: number): Verdict {
    const verdict = judge(plan, this.isAlone ? undefined : this.#plan, floor);
    if (verdict.isObeyed) {
      this.#plan = plan;
      for (const key of Object.keys(plan.counts)) this.#demanded.delete(key);
    } else this.refused++;
    return verdict;
  }

  /** Adopts a plan that the instance made for itself. */
  actAlone(plan: Plan): void {
    this.#plan = plan;
  }

  /** Aims at a first replica without a leader, until a plan covers the deployment. */
  demand(deployment: string): void {
    this.#demanded.set(deployment, 1);
  }

  /** @returns the new targets, if they changed, or if a plan covers others than before */
  update(view: FollowerView): ChangedTargets | undefined {
    let isChanged = false;
    const targets: Record<string, number> = {};
    const undecided = new Set<string>();
    this.kept = 0;
    for (const [key, place] of view.places) {
      const target = this.#target(key, place, view);
      targets[key] = target;
      if (plannedCount(this.#plan, key, view.self) === undefined) undecided.add(key);
      if (target !== this.#targets[key] || undecided.has(key) !== this.#undecided.has(key)) isChanged = true;
    }
    isChanged ||= Object.keys(this.#targets).some((key) => !view.places.has(key));
    if (!isChanged) return undefined;
    this.#targets = targets;
    this.#undecided = undecided;
    return { targets, undecided: [...undecided], cause: this.#cause() };
  }

  #target(key: string, { deployment }: DeclaredPlace, view: FollowerView): number {
    const planned = plannedCount(this.#plan, key, view.self);
    const isEnding = this.#plan?.ending.includes(key) === true;
    const least = view.isDraining || isEnding ? 0 : deployment.minReplicasPerInstance;
    // A replica that was started for want of a leader is not needed once the plan's own one runs.
    if (planned === 0 && this.#demanded.has(key) && view.elsewhere(key) > 0 && this.#isPlanned(key))
      this.#demanded.delete(key);
    // Absent is not zero: deployments that the plan does not cover stay unchanged.
    const wanted = Math.max(planned ?? this.#targets[key] ?? 0, this.#demanded.get(key) ?? 0, least);
    const running = view.running(key, this.#targets[key] ?? 0);
    const elsewhere = wanted === 0 && running > 0 ? view.elsewhere(key) : 1;
    const kept = keepLast({ deployment: key, planned: wanted, running, elsewhere }, this.#plan);
    if (kept > wanted) this.kept++;
    return kept;
  }

  #isPlanned(key: string): boolean {
    return this.#plan?.counts[key]?.some((count) => count > 0) === true;
  }

  #cause(): TargetCause {
    if (this.#demanded.size > 0) return 'demand';
    if (this.#plan === undefined) return 'boot';
    return this.isAlone ? 'alone' : 'plan';
  }
}
