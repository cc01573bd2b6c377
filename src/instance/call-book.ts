import { BatchStats, type CountedBatches } from '../batching/batch-stats.ts';
import type { AppReport } from '../controller/status.ts';
import { CallStats } from '../handle/call-stats.ts';
import { Counters } from '../handle/counters.ts';
import { type RouteKey, routeKey } from '../handle/directory.ts';
import type { CountedCalls } from '../handle/ended-counts.ts';
import type { DeploymentSample } from '../observe/metrics.ts';

/** What is counted of one deployment. */
interface Counted {
  readonly calls: CallStats;
  readonly batches: BatchStats;
  readonly counters: Counters;
  /** Failed responses that nobody looked at. */
  unobserved: number;
}

/** What all threads of an instance counted since the start, by deployment. */
export class CallBook {
  readonly #counts = new Map<RouteKey, Counted>();

  of(app: string, deployment: string): Counted {
    const key = routeKey(app, deployment);
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const made: Counted = {
      calls: new CallStats(),
      batches: new BatchStats(),
      counters: new Counters(),
      unobserved: 0,
    };
    this.#counts.set(key, made);
    return made;
  }

  merge({ app, deployment, series, counts }: CountedCalls): void {
    const counted = this.of(app, deployment);
    counted.calls.merge(series);
    counted.counters.merge(counts);
  }

  mergeBatches({ app, deployment, series }: CountedBatches): void {
    this.of(app, deployment).batches.merge(series);
  }

  /** What Prometheus gets to see of the deployments of an app. */
  samples(app: string, { deployments }: AppReport): DeploymentSample[] {
    return Object.entries(deployments).map(([deployment, report]) => {
      const { calls, batches, counters, unobserved } = this.of(app, deployment);
      return {
        app,
        deployment,
        calls: calls.series(),
        batches: batches.series(),
        counts: counters.counts,
        ongoing: report.replicas.reduce((sum, { ongoing }) => sum + ongoing, 0),
        queued: report.queued,
        replicas: report.replicaStates,
        restarts: report.restarts,
        desired: report.scaling?.desired,
        unobserved,
      };
    });
  }
}
