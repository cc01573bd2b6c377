import { BatchStats, type CountedBatches } from '../batching/batch-stats.ts';
import type { AppReport } from '../controller/status.ts';
import { CallStats, type Durations, noDurations } from '../handle/call/call-stats.ts';
import { Counters } from '../handle/call/counters.ts';
import { type RouteKey, routeKey } from '../handle/routing/directory.ts';
import type { CountedCalls } from '../handle/routing/ended-counts.ts';
import type { DeploymentSample } from './samples.ts';

/** The number of ended deployments whose counts are kept; beyond it the one that counted least recently is forgotten. */
export const MOST_ENDED = 100;

/** Upper bounds of the histogram of starts, in ms; an infinite one follows. */
export const START_BOUNDS_MS: readonly number[] = [
  50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000,
];

/** The counts of one deployment. */
interface Counted {
  readonly app: string;
  readonly deployment: string;
  readonly calls: CallStats;
  readonly batches: BatchStats;
  readonly counters: Counters;
  /** Failed responses whose error was never read. */
  unobserved: number;
  /** Replicas that ended without being asked to. */
  restarts: number;
  /** The same by cause. */
  readonly deaths: Partial<Record<string, number>>;
  /** Durations of the starts that replicas came up from. */
  readonly starts: Durations;
}

/**
 * The counts of all threads of an instance since its start, by deployment. The counts of a deployment stay when it ends, and
 * continue when another deployment gets its name, because a counter that falls looks like a restart of the process.
 */
export class CallCounts {
  readonly #counts = new Map<RouteKey, Counted>();
  readonly #isRunning: (app: string, deployment: string) => boolean;

  constructor(isRunning: (app: string, deployment: string) => boolean) {
    this.#isRunning = isRunning;
  }

  /** Whether the deployment runs now. */
  isRunning(app: string, deployment: string): boolean {
    return this.#isRunning(app, deployment);
  }

  of(app: string, deployment: string): Counted {
    const key = routeKey(app, deployment);
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    this.#makeRoom();
    const made: Counted = {
      app,
      deployment,
      calls: new CallStats(),
      batches: new BatchStats(),
      counters: new Counters(),
      unobserved: 0,
      restarts: 0,
      deaths: {},
      starts: noDurations(START_BOUNDS_MS),
    };
    this.#counts.set(key, made);
    return made;
  }

  merge({ app, deployment, series, counts }: CountedCalls): void {
    const counted = this.of(app, deployment);
    counted.calls.merge(series);
    counted.counters.merge(counts);
    this.#used(counted);
  }

  mergeBatches({ app, deployment, series }: CountedBatches): void {
    const counted = this.of(app, deployment);
    counted.batches.merge(series);
    this.#used(counted);
  }

  /** The samples for Prometheus: the deployments that run, and the last counts of those that ended. */
  samples(running: Readonly<Record<string, AppReport>>): DeploymentSample[] {
    const samples: DeploymentSample[] = [];
    const seen = new Set<Counted>();
    for (const [app, { deployments }] of Object.entries(running)) {
      for (const [deployment, report] of Object.entries(deployments)) {
        const counted = this.of(app, deployment);
        seen.add(counted);
        const ongoing = report.replicas.reduce((sum, replica) => sum + replica.ongoing, 0);
        samples.push(sampleOf(counted, { ...report, ongoing, desired: report.scaling?.desired }));
      }
    }
    for (const counted of this.#counts.values()) {
      if (!seen.has(counted)) samples.push(sampleOf(counted, undefined));
    }
    return samples;
  }

  /** Moves a deployment to the end of the map, which is ordered by the time of the last count. */
  #used(counted: Counted): void {
    const key = routeKey(counted.app, counted.deployment);
    this.#counts.delete(key);
    this.#counts.set(key, counted);
  }

  #makeRoom(): void {
    const ended = [...this.#counts].filter(([, { app, deployment }]) => !this.#isRunning(app, deployment));
    for (const [key] of ended.slice(0, Math.max(0, ended.length - MOST_ENDED + 1))) this.#counts.delete(key);
  }
}

function sampleOf(counted: Counted, now: DeploymentSample['now']): DeploymentSample {
  const { app, deployment, calls, batches, counters, ...rest } = counted;
  return {
    app,
    deployment,
    calls: calls.series(),
    batches: batches.series(),
    counts: counters.counts,
    ...rest,
    now,
  };
}
