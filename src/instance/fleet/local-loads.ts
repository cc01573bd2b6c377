import type { LocalLoad } from '../../cluster/node/events.ts';
import { type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import type { RunningDeployment } from '../deployments/running-deployment.ts';
import { EndedCalls } from '../scaling/ended-calls.ts';

/** Measures the deployments of this instance for the leader of its fleet. */
export class LocalLoads {
  readonly #registry: EndpointRegistry;
  readonly #ended = new Map<RouteKey, EndedCalls>();

  constructor(registry: EndpointRegistry) {
    this.#registry = registry;
  }

  /** The state of every deployment with a number of replicas, by key. */
  read(apps: Iterable<AppRuntime>): Record<RouteKey, LocalLoad> {
    const loads: Record<RouteKey, LocalLoad> = {};
    for (const { name, deployments } of apps) {
      for (const [deployment, running] of deployments) {
        if (running.scalable === undefined) continue;
        const key = routeKey(name, deployment);
        loads[key] = this.#load(key, running, running.scalable.target);
      }
    }
    for (const key of this.#ended.keys()) if (loads[key] === undefined) this.#ended.delete(key);
    return loads;
  }

  #load(key: RouteKey, deployment: RunningDeployment, target: number): LocalLoad {
    const ended = this.#ended.get(key) ?? new EndedCalls();
    this.#ended.set(key, ended);
    const replicas = [...deployment.replicas()];
    const running = replicas.filter(({ isRoutable }) => isRoutable);
    return {
      target,
      running: running.length,
      starting: replicas.filter(({ state }) => state === 'STARTING').length,
      queued: this.#registry.load(key)?.queued ?? 0,
      ongoing: running.reduce((sum, { load }) => sum + load.ongoing, 0),
      ended: ended.count(running),
      failures: deployment.scalable?.failedStarts ?? 0,
    };
  }
}
