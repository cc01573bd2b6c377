import type { LocalLoad, LocalLoads } from '../../../src/cluster/node/events.ts';
import type { World } from './world.ts';

interface StubReplica {
  readonly readyAt: number;
}

interface StubDeployment {
  target: number;
  replicas: StubReplica[];
  failures: number;
  retryAt: number;
  ended: number;
}

/** How much is asked of each deployment, in calls at a time; shared out over all running replicas. */
export interface OfferedLoad {
  share(deployment: string, running: number): { readonly ongoing: number; readonly queued: number };
}

const RETRY_MS = 1_000;
const SERVICE_MS = 100;

/** Replicas that start after a while, fail, and serve: what an instance's host would report. */
export class StubInstance {
  readonly #world: World;
  readonly #startMs: number;
  readonly #deployments = new Map<string, StubDeployment>();
  /** Deployments whose replicas do not start here. */
  readonly failing = new Set<string>();
  #sampledAt: number;

  constructor(world: World, startMs: number) {
    this.#world = world;
    this.#startMs = startMs;
    this.#sampledAt = world.now;
  }

  apply(targets: Readonly<Record<string, number>>): void {
    for (const [key, target] of Object.entries(targets)) {
      this.#deployment(key).target = target;
      this.#reconcile(key);
    }
  }

  target(deployment: string): number {
    return this.#deployments.get(deployment)?.target ?? 0;
  }

  running(deployment: string): number {
    const found = this.#deployments.get(deployment);
    if (found === undefined) return 0;
    let running = 0;
    for (const { readyAt } of found.replicas) if (readyAt <= this.#world.now) running++;
    return running;
  }

  report(load: OfferedLoad): LocalLoads {
    const ms = this.#world.now - this.#sampledAt;
    this.#sampledAt = this.#world.now;
    const loads: Record<string, LocalLoad> = {};
    for (const [key, deployment] of this.#deployments) {
      this.#reconcile(key);
      const running = this.running(key);
      const { ongoing, queued } = load.share(key, running);
      deployment.ended += (ongoing / SERVICE_MS) * ms;
      const { target, replicas, failures } = deployment;
      const ended = Math.floor(deployment.ended);
      loads[key] = { target, running, starting: replicas.length - running, queued, ongoing, ended, failures };
    }
    return loads;
  }

  #reconcile(key: string): void {
    const deployment = this.#deployment(key);
    const { now } = this.#world;
    if (this.failing.has(key)) {
      if (deployment.target > 0 && now >= deployment.retryAt) {
        deployment.failures++;
        deployment.retryAt = now + RETRY_MS;
      }
      deployment.replicas = [];
      return;
    }
    const surplus = deployment.replicas.length - deployment.target;
    if (surplus > 0) deployment.replicas.sort((a, b) => a.readyAt - b.readyAt).splice(deployment.target);
    while (deployment.replicas.length < deployment.target)
      deployment.replicas.push({ readyAt: now + this.#startMs * (0.8 + 0.4 * this.#world.random()) });
  }

  #deployment(key: string): StubDeployment {
    let deployment = this.#deployments.get(key);
    if (deployment === undefined) {
      deployment = { target: 0, replicas: [], failures: 0, retryAt: 0, ended: 0 };
      this.#deployments.set(key, deployment);
    }
    return deployment;
  }
}
