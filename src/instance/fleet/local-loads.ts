import type { LocalLoad } from '../../cluster/node/events.ts';
import { namesOf, type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { now } from '../../time/clock.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';
import { EndedCalls } from '../scaling/ended-calls.ts';
import { FaultReports } from '../scaling/fault-reports.ts';
import { ReplicaStats, type StatsReplica } from '../scaling/replica-stats.ts';

/** Period over which the values of a replica are averaged for a report, in ms. */
const STATS_MS = 500;

/** The parts of an app that are measured. */
export interface MeasuredApp extends Pick<AppRuntime, 'name'> {
  readonly deployments: Iterable<readonly [name: string, deployment: MeasuredDeployment]>;
}

interface MeasuredDeployment {
  /** Undefined for a deployment without a number of replicas. */
  readonly scalable: Pick<ScalableDeployment, 'target' | 'failedStarts'> | undefined;
  replicas(): Iterable<StatsReplica & Pick<ManagedReplica, 'isRoutable' | 'load'>>;
}

export interface LocalLoadsOptions {
  readonly registry: Pick<EndpointRegistry, 'load'>;
  readonly events: Events;
  readonly log: Logger;
}

/** Measures the deployments of this instance for the leader of its fleet. */
export class LocalLoads {
  readonly #options: LocalLoadsOptions;
  readonly #ended = new Map<RouteKey, EndedCalls>();
  /** Values for the autoscaling policies of deployments. */
  readonly #stats = new Map<RouteKey, ReplicaStats>();

  constructor(options: LocalLoadsOptions) {
    this.#options = options;
  }

  /**
   * The state of every deployment with a number of replicas, by key.
   * @param hasPolicy whether a policy decides about a deployment in place of the load
   */
  read(
    apps: Iterable<MeasuredApp>,
    hasPolicy: (app: string, deployment: string) => boolean,
  ): Record<RouteKey, LocalLoad> {
    const loads: Record<RouteKey, LocalLoad> = {};
    for (const { name, deployments } of apps) {
      for (const [deployment, running] of deployments) {
        if (running.scalable === undefined) continue;
        const key = routeKey(name, deployment);
        const load = this.#load(key, running, running.scalable.target);
        loads[key] = hasPolicy(name, deployment) ? { ...load, replicas: this.#values(key, running) } : load;
      }
    }
    for (const key of this.#ended.keys()) if (loads[key] === undefined) this.#ended.delete(key);
    for (const key of this.#stats.keys()) if (loads[key]?.replicas === undefined) this.#stats.delete(key);
    return loads;
  }

  /** The running replicas with the values of their `recordAutoscalingStats()`, and asks for the next ones. */
  #values(key: RouteKey, deployment: MeasuredDeployment): Record<string, Record<string, number>> {
    const at = now();
    const running = [...deployment.replicas()].filter(({ isRoutable }) => isRoutable);
    const stats = this.#stats.get(key) ?? this.#newStats(key);
    this.#stats.set(key, stats);
    const { aggregatedMetrics } = stats.read(at, STATS_MS, (time) => time);
    stats.ask(at, running);
    const values = Object.fromEntries(
      running.map(({ replicaId }) => [replicaId, {} as Record<string, number>]),
    );
    for (const [name, byReplica] of Object.entries(aggregatedMetrics))
      for (const [replica, value] of Object.entries(byReplica)) {
        const own = values[replica];
        if (own !== undefined) own[name] = value;
      }
    return values;
  }

  /** A replica whose hook fails has no values, which its policy sees. */
  #newStats(key: RouteKey): ReplicaStats {
    const { events, log } = this.#options;
    const faults = new FaultReports(...namesOf(key), events, log);
    return new ReplicaStats(STATS_MS, (replica, error) => {
      faults.report(`recordAutoscalingStats of ${replica}`, error);
    });
  }

  #load(key: RouteKey, deployment: MeasuredDeployment, target: number): LocalLoad {
    const ended = this.#ended.get(key) ?? new EndedCalls();
    this.#ended.set(key, ended);
    const replicas = [...deployment.replicas()];
    const running = replicas.filter(({ isRoutable }) => isRoutable);
    return {
      target,
      running: running.length,
      starting: replicas.filter(({ state }) => state === 'STARTING').length,
      queued: this.#options.registry.load(key)?.queued ?? 0,
      ongoing: running.reduce((sum, { load }) => sum + load.ongoing, 0),
      ended: ended.count(running),
      failures: deployment.scalable?.failedStarts ?? 0,
    };
  }
}
