import { isDeepStrictEqual } from 'node:util';
import { demandOf } from '../deployment/options/resources.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../handle/routing/traffic-split.ts';
import { entryOf, type Plan, type ReplicaCounts, type Snapshot } from '../store/snapshot.ts';
import type { FencingToken, Store } from '../store/store.ts';
import type { Clock } from '../time/control-clock.ts';
import { assignReplicas } from './assign.ts';
import type { InstanceSpace } from './place.ts';
import { type WantedDeployment, wantedDeployments } from './wanted.ts';

/** Period at which trials are judged, in ms, and how much earlier a timer may fire. */
const JUDGE_MS = 250;
const EARLY_MS = 5;

/** The result of a pass. */
type Decided = Pick<Plan, 'counts' | 'shares'>;

/** Scales the numbers of replicas by load. */
export interface Autoscaling {
  /** Examines the deployments that are due. @returns the targets that change */
  decide(at: number, wanted: readonly WantedDeployment[], snapshot: Snapshot): ReadonlyMap<RouteKey, number>;
}

/** The versions on trial beside apps, as the instances see them. */
export interface TrialObserver {
  /** Whether the wanted version can take calls. */
  isReady(app: string, trial: TrafficSplitConfig): boolean;
  /** Fault of a canary compared with its app; undefined if there is no fault. */
  faultOf(app: string): string | undefined;
  /** Reports that the trial was ended because of the fault. */
  failed(app: string, fault: string): void;
}

/** The instances, reduced to the data that the controller needs. */
export interface InstanceObserver {
  /** Whether replicas remain of a deployment that no instance declares any more. */
  isRunning(key: RouteKey): boolean;
  /** Free capacity of an instance for replicas of a deployment. */
  space(instance: string, key: RouteKey): InstanceSpace;
}

/** Numbers of replicas of one instance that are decided elsewhere: by the leader of its fleet. */
export interface DecidedTargets {
  /** Whether the fleet cannot be heard, so that the instance decides like one without a fleet. */
  readonly isSilent: boolean;
  /** Replicas of a deployment; undefined as long as nothing is decided. */
  target(key: RouteKey): number | undefined;
}

export interface LoopOptions {
  readonly store: Store;
  readonly token: FencingToken;
  readonly clock: Clock;
  readonly autoscaling: Autoscaling;
  readonly trials: TrialObserver;
  readonly instances: InstanceObserver;
  /** Set in a fleet: then this loop decides about no numbers of replicas. */
  readonly decided?: DecidedTargets | undefined;
  /** Called when the store rejects a plan; the next pass makes a new one. */
  onRefused(error: unknown): void;
}

/**
 * The decision loop: observes the load, scales, places, and proposes numbers of replicas and shares of trials. Each
 * instance carries out the plan itself (`reconcile`).
 */
export class ControllerLoop {
  readonly #options: LoopOptions;
  /** Functions that stop the timers, by period. */
  readonly #beats = new Map<number, () => void>();
  /** A pass is running: changes in the meantime count for the next pass. */
  #isDeciding = false;
  #isWoken = false;
  /** A plan is being proposed to the store. */
  #isProposing = false;
  #judgedAt = -Infinity;
  #isClosed = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /**
   * Runs a pass at once, because the desired state changed, a replica crashed, or a call waits for a deployment without
   * replicas. Called in the async context of no call.
   */
  wake(): void {
    this.#isWoken = true;
    while (this.#isWoken && !this.#isDeciding && !this.#isProposing && !this.#isClosed) {
      this.#isWoken = false;
      this.#pass(this.#options.clock.now());
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#beats.values()) end();
    this.#beats.clear();
  }

  #pass(at: number): void {
    let decided: Decided;
    this.#isDeciding = true;
    try {
      this.#judgeTrials(at);
      const snapshot = this.#options.store.read();
      const wanted = wantedDeployments(snapshot);
      this.#setBeats(wanted, snapshot);
      decided = this.#decide(at, wanted, snapshot);
    } finally {
      this.#isDeciding = false;
    }
    // A listener of the plan may change the desired state at once; a nested pass then plans that change before this one goes on.
    this.#propose(decided);
  }

  #decide(at: number, wanted: readonly WantedDeployment[], snapshot: Snapshot): Decided {
    const { autoscaling, decided } = this.#options;
    if (decided?.isSilent === false)
      return { counts: this.#decidedCounts(wanted, decided, snapshot), shares: this.#shares(snapshot) };
    const changed = autoscaling.decide(at, wanted, snapshot);
    const targets = wanted.map((one) => ({ ...one, target: changed.get(one.key) ?? one.target }));
    return { counts: this.#counts(targets, snapshot), shares: this.#shares(snapshot) };
  }

  /** Numbers that the fleet decided. A deployment about which it has not decided keeps its own. */
  #decidedCounts(
    wanted: readonly WantedDeployment[],
    decided: DecidedTargets,
    { plan }: Snapshot,
  ): Plan['counts'] {
    const counts = this.#kept(plan);
    for (const { key, instances } of wanted) {
      const target = decided.target(key);
      if (target !== undefined)
        counts[key] = Object.fromEntries(instances.map((instance) => [instance, target]));
      else if (plan.counts[key] === undefined) delete counts[key];
    }
    return counts;
  }

  /** An undeclared deployment keeps its numbers while replicas remain: absent is never zero. */
  #kept({ counts: planned }: Plan): Record<string, ReplicaCounts> {
    const kept = Object.entries(planned).filter(([key]) =>
      this.#options.instances.isRunning(key as RouteKey),
    );
    return Object.fromEntries(kept);
  }

  /** Replicas by instance. */
  #counts(targets: readonly WantedDeployment[], { plan }: Snapshot): Plan['counts'] {
    const { instances } = this.#options;
    const counts = this.#kept(plan);
    for (const { key, target, spec, instances: declaring } of targets) {
      counts[key] = assignReplicas({
        target,
        counts: entryOf(plan.counts, key) ?? {},
        instances: declaring,
        demand: demandOf(spec.options.resources),
        maxPerInstance: spec.options.maxReplicasPerInstance,
        space: (instance) => instances.space(instance, key),
      });
    }
    return counts;
  }

  /** Sends calls to a trial once it is ready. While another version or share of it gets ready, calls continue as before. */
  #shares({ overrides, plan }: Snapshot): Plan['shares'] {
    const shares = Object.entries(overrides.trials).flatMap(([app, trial]) => {
      const before = entryOf(plan.shares, app);
      if (this.#options.trials.isReady(app, trial)) return [[app, trial] as const];
      return before?.app === trial.app ? [[app, before] as const] : [];
    });
    return Object.fromEntries(shares);
  }

  #judgeTrials(at: number): void {
    if (at - this.#judgedAt < JUDGE_MS - EARLY_MS) return;
    this.#judgedAt = at;
    const { store, token, trials, onRefused } = this.#options;
    for (const [app, { kind }] of Object.entries(store.read().plan.shares)) {
      const fault = kind === 'canary' ? trials.faultOf(app) : undefined;
      if (fault === undefined) continue;
      trials.failed(app, fault);
      store.propose({ type: 'trial', app, trial: undefined }, token).catch(onRefused);
    }
  }

  #propose({ counts, shares }: Decided): void {
    const { store, token, onRefused } = this.#options;
    const before = store.read();
    const { counts: planned, shares: shared } = before.plan;
    if (isDeepStrictEqual([counts, shares], [planned, shared])) return;
    const proposed = store.propose({ type: 'plan', counts, shares }, token);
    // The loop waits for a store that does not apply at once: a pass in between would repeat the same decision.
    this.#isProposing = store.read() === before;
    void proposed.catch(onRefused).then(() => {
      if (!this.#isProposing) return;
      this.#isProposing = false;
      if (this.#isWoken) this.wake();
    });
  }

  /** Starts one timer for each observation period, so that each deployment is sampled at its own. */
  #setBeats(wanted: readonly WantedDeployment[], { overrides }: Snapshot): void {
    const periods = new Set(wanted.flatMap(({ scaling }) => scaling.autoscaling?.metricsIntervalMs ?? []));
    if (Object.keys(overrides.trials).length > 0) periods.add(JUDGE_MS);
    for (const [period, end] of this.#beats) {
      if (periods.has(period)) continue;
      end();
      this.#beats.delete(period);
    }
    for (const period of periods)
      if (!this.#beats.has(period))
        this.#beats.set(
          period,
          this.#options.clock.every(period, () => this.wake()),
        );
  }
}
