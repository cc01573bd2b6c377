import { atCapacity } from '../../../src/controller/target-capacity.ts';
import type { AutoscalingConfig } from '../../../src/deployment/options/autoscaling-config.ts';
import { type RouteKey, routeKey } from '../../../src/handle/routing/directory.ts';
import type { RunningDeployment } from '../../../src/instance/deployments/running-deployment.ts';
import { entryOf, plannedReplicas, type Scale } from '../../../src/store/snapshot.ts';
import type { SimulatedInstance } from './simulated-instance.ts';

/** A version without calls is proved after so long. */
const LEAST_PROOF_MS = 250;

interface Target {
  readonly at: number;
  readonly replicas: number;
}

/**
 * What holds at every moment of a simulation, whatever is asked for. What the instance does is compared with what was
 * declared and said, by rules of its own.
 */
export class Invariants {
  readonly violations: string[] = [];
  readonly #instance: SimulatedInstance;
  /** Targets of each deployment over time. */
  readonly #targets = new Map<RouteKey, Target[]>();
  /** When the first replica of each version came up, by deployment and version. */
  readonly #firstUp = new Map<string, number>();
  /** Versions of each deployment in the order in which they were declared. */
  readonly #versions = new Map<RouteKey, string[]>();
  /** Versions that took the place of one that served, by deployment and version. */
  readonly #updates = new Set<string>();

  constructor(instance: SimulatedInstance) {
    this.#instance = instance;
    instance.events.on('replica', ({ app, deployment, replica, state }) => {
      const found = instance.plane.apps.get(app)?.deployments.get(deployment);
      if (found === undefined) return;
      const key = routeKey(app, deployment);
      if (state === 'STARTING') this.#started(key, found);
      if (state === 'RUNNING') this.#up(key, found, replica);
      if (state === 'STOPPING') {
        this.#stopping(key, found, replica);
        this.#leaving(key, found, replica);
      }
      this.#ranks(key, found);
    });
    instance.store.watch(() => this.#planned());
  }

  /** How often the target of a deployment turned from up to down or back since a time. */
  reversals(app: string, deployment: string, since: number): number {
    const targets = (this.#targets.get(routeKey(app, deployment)) ?? []).filter(({ at }) => at >= since);
    const steps = targets.slice(1).map(({ replicas }, index) => replicas - (targets[index]?.replicas ?? 0));
    const directions = steps.map(Math.sign).filter((direction) => direction !== 0);
    return directions.filter((direction, index) => index > 0 && direction !== directions[index - 1]).length;
  }

  /** The targets of a deployment, with their times. */
  history(app: string, deployment: string): string {
    const targets = this.#targets.get(routeKey(app, deployment)) ?? [];
    return targets.map(({ at, replicas }) => `${replicas} at ${Math.round(at)} ms`).join(', ');
  }

  /** The numbers of replicas are within the bounds of the declarations and of what was said. */
  #planned(): void {
    const snapshot = this.#instance.store.read();
    for (const { apps } of Object.values(snapshot.declarations)) {
      for (const { name: app, deployments } of Object.values(apps)) {
        for (const { name, version } of deployments) {
          const key = routeKey(app, name);
          this.#declared(key, version);
          const replicas = plannedReplicas(snapshot, key);
          if (replicas === undefined) continue;
          this.#remember(key, replicas);
          // The plan follows in the same turn; until it does, the old numbers hold.
          queueMicrotask(() => this.#bounded(key));
        }
      }
    }
  }

  #bounded(key: RouteKey): void {
    const snapshot = this.#instance.store.read();
    const [app = '', name = ''] = key.split('/');
    for (const { apps } of Object.values(snapshot.declarations)) {
      const spec = entryOf(apps, app)?.deployments.find((one) => one.name === name);
      const replicas = plannedReplicas(snapshot, key);
      if (spec === undefined || replicas === undefined) continue;
      const { numReplicas, autoscaling } = spec.options;
      const { scales, capacity } = snapshot.overrides;
      const [min, max] = bounds(numReplicas, autoscaling, entryOf(scales, key)).map((bound) =>
        atCapacity(bound, capacity.percent),
      ) as [number, number];
      if (replicas < min || replicas > max)
        this.#violated(`${key}: ${replicas} replicas are planned, ${min}…${max} allowed`);
    }
  }

  /** Surge: never more replicas than the target, or the old version, and a quarter. */
  #started(key: RouteKey, deployment: RunningDeployment): void {
    const { targetReplicas: target, replicas } = deployment.report();
    const { version, options } = deployment.spec;
    const live = replicas.filter(({ state }) => state === 'STARTING' || state === 'RUNNING');
    const current = live.filter((replica) => replica.version === version).length;
    const old = live.filter((replica) => replica.version !== version && replica.state === 'RUNNING').length;
    const surge = old === 0 ? 0 : Math.max(1, Math.ceil(target * options.rollout.maxSurge));
    if (current > target) this.#violated(`${key}: replica ${current} of ${target} was started`);
    if (current + old > Math.max(target, old) + surge)
      this.#violated(`${key}: ${current} new replicas beside ${old} old ones, for ${target}`);
  }

  /** No replica is told to stop that is needed for what was promised. */
  #stopping(key: RouteKey, deployment: RunningDeployment, stopping: string): void {
    const { targetReplicas: target, replicas } = deployment.report();
    const running = replicas.filter(({ state }) => state === 'RUNNING');
    if (!running.some(({ id }) => id === stopping)) return;
    const left = running.length - 1;
    const floor = Math.ceil(target * (1 - deployment.spec.options.rollout.maxUnavailable));
    if (left < floor) this.#violated(`${key}: ${stopping} stops, and ${left} of ${floor} are left`);
  }

  /** All of the old version stays until a replica of a new one has shown for a while that it is good. */
  #leaving(key: RouteKey, deployment: RunningDeployment, stopping: string): void {
    const versions = this.#versions.get(key) ?? [];
    const wanted = versions.at(-1);
    const { targetReplicas: target, replicas } = deployment.report();
    const leaving = replicas.find(({ id }) => id === stopping);
    // What comes again was proved before; and where no version has served yet, there is none to keep.
    const isNew =
      versions.indexOf(wanted ?? '') === versions.length - 1 && this.#updates.has(`${key} ${wanted}`);
    if (leaving?.state !== 'RUNNING' || leaving.version === wanted || !isNew || target === 0) return;
    const provedMs = this.#instance.time.now() - (this.#firstUp.get(`${key} ${wanted}`) ?? Infinity);
    if (provedMs < LEAST_PROOF_MS)
      this.#violated(`${key}: ${stopping} of ${leaving.version} stops before ${wanted} has proved itself`);
  }

  #up(key: RouteKey, deployment: RunningDeployment, replica: string): void {
    const version = deployment.report().replicas.find(({ id }) => id === replica)?.version;
    const name = `${key} ${version}`;
    if (!this.#firstUp.has(name)) this.#firstUp.set(name, this.#instance.time.now());
  }

  #declared(key: RouteKey, version: string): void {
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(key, versions);
    if (versions.at(-1) === version) return;
    versions.push(version);
    const app = this.#instance.plane.apps.get(key.split('/')[0] ?? '');
    if (app !== undefined && app.serving !== app.spec) this.#updates.add(`${key} ${version}`);
  }

  /** No two replicas have a rank at a time. */
  #ranks(key: RouteKey, deployment: RunningDeployment): void {
    const ranks = deployment.report().replicas.map(({ rank }) => rank);
    if (new Set(ranks).size < ranks.length) this.#violated(`${key}: ranks ${ranks.join()}`);
  }

  #remember(key: RouteKey, replicas: number): void {
    const targets = this.#targets.get(key) ?? [];
    if (targets.at(-1)?.replicas === replicas) return;
    this.#targets.set(key, targets);
    targets.push({ at: this.#instance.time.now(), replicas });
  }

  #violated(what: string): void {
    this.violations.push(`at ${Math.round(this.#instance.time.now())} ms: ${what}`);
  }
}

function bounds(
  numReplicas: number,
  autoscaling: AutoscalingConfig | undefined,
  scale: Scale | undefined,
): [number, number] {
  if (scale !== undefined && 'replicas' in scale) return [scale.replicas, scale.replicas];
  if (autoscaling === undefined) return [numReplicas, numReplicas];
  return scale === undefined ? [autoscaling.minReplicas, autoscaling.maxReplicas] : [scale.min, scale.max];
}
