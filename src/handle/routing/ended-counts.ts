import { type CallSeries, CallStats } from '../call/call-stats.ts';
import { Counters, type Counts } from '../call/counters.ts';
import { type RouteKey, routeKey } from './directory.ts';

/** A thread's counts of the calls to one deployment. */
export interface CountedCalls {
  readonly app: string;
  readonly deployment: string;
  readonly series: CallSeries[];
  readonly counts: Counts;
}

interface Counting {
  readonly app: string;
  readonly deployment: string;
  readonly stats: CallStats;
  readonly counters: Counters;
}

/** Takes the counts since the last reading. */
export function countedBy({ app, deployment, stats, counters }: Counting): CountedCalls {
  return { app, deployment, series: stats.take(), counts: counters.take() };
}

export function hasCounted({ series, counts }: CountedCalls): boolean {
  return series.length > 0 || Object.keys(counts).length > 0;
}

/**
 * Keeps the counts of ended routes until they are taken: one entry per deployment, however often it is deleted and
 * deployed again.
 */
export class EndedCounts {
  readonly #byDeployment = new Map<RouteKey, Ended>();

  add(counted: CountedCalls): void {
    if (!hasCounted(counted)) return;
    const { app, deployment, series, counts } = counted;
    const key = routeKey(app, deployment);
    const ended = this.#byDeployment.get(key) ?? new Ended(app, deployment);
    this.#byDeployment.set(key, ended);
    ended.stats.merge(series);
    ended.counters.merge(counts);
  }

  /** Returns the counts so far and starts again from zero. */
  take(): CountedCalls[] {
    const taken = [...this.#byDeployment.values()].map(countedBy);
    this.#byDeployment.clear();
    return taken;
  }
}

class Ended implements Counting {
  readonly app: string;
  readonly deployment: string;
  readonly stats = new CallStats();
  readonly counters = new Counters();

  constructor(app: string, deployment: string) {
    this.app = app;
    this.deployment = deployment;
  }
}
