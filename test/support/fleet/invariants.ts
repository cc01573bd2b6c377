import { deploymentKey, isNewer, type Plan } from '../../../src/cluster/documents.ts';
import type { FleetEffect } from '../../../src/cluster/node/events.ts';
import { removalsAllowed, removedBy } from '../../../src/cluster/node/guards.ts';
import type { SimulatedInstance } from './simulated-instance.ts';
import type { World } from './world.ts';

/** Effects of one kind that an instance may have within the window. */
const MAX_EFFECTS = { store: 60, dial: 200, fault: 40 } as const;
const WINDOW_MS = 10_000;
/** A replica that ran so shortly before may be taken for running: news travel. */
const NEWS_MS = 1_500;

interface Watched {
  plan: Plan | undefined;
  targets: Readonly<Record<string, number>>;
  generation: number;
  token: number;
  readonly times: Map<string, number[]>;
}

/** What must hold at all times, whatever breaks. Throws with the time and the instance. */
export class Invariants {
  readonly #world: World;
  readonly #instances: () => readonly SimulatedInstance[];
  readonly #watched = new Map<SimulatedInstance, Watched>();
  /** The one leader of each token. */
  readonly #owners = new Map<number, string>();
  /** When each deployment last ran anywhere else than on an instance. */
  readonly #ranAt = new Map<string, Map<string, number>>();
  /** Moves and removals, for the scenarios. */
  applied = 0;

  constructor(world: World, instances: () => readonly SimulatedInstance[]) {
    this.#world = world;
    this.#instances = instances;
  }

  onEffect(instance: SimulatedInstance, effect: FleetEffect): void {
    const watched = this.#watch(instance);
    this.#checkRate(instance, watched, effect.type);
    if (effect.type === 'apply') this.#checkTargets(instance, watched, effect);
  }

  /** After every event. */
  check(instance: SimulatedInstance): void {
    const watched = this.#watch(instance);
    const { plan, generation, token } = instance.node.situation;
    if (generation < watched.generation) this.#fail(instance, `the generation fell to ${generation}`);
    watched.generation = generation;
    if (plan === watched.plan || plan === undefined) return;
    if (plan.token > 0) {
      this.#checkPlan(instance, watched, plan);
      watched.token = Math.max(watched.token, token);
    }
    watched.plan = plan;
  }

  #checkPlan(instance: SimulatedInstance, { plan: before }: Watched, plan: Plan): void {
    const owner = this.#owners.get(plan.token);
    if (owner !== undefined && owner !== plan.owner)
      this.#fail(instance, `token ${plan.token} was obeyed of ${owner} and of ${plan.owner}`);
    this.#owners.set(plan.token, plan.owner);
    if (before === undefined || before.token === 0) return;
    if (!isNewer(plan, before)) this.#fail(instance, `plan ${plan.number} was obeyed after ${before.number}`);
    if (plan.token < before.token)
      this.#fail(instance, `token ${plan.token} was obeyed after ${before.token}`);
    if (plan.number !== before.number + 1) return;
    const total = Object.values(before.counts)
      .flat()
      .reduce((sum, count) => sum + count, 0);
    if (removedBy(plan, before) > removalsAllowed(total))
      this.#fail(instance, `plan ${plan.number} removes too much`);
  }

  #checkTargets(
    instance: SimulatedInstance,
    watched: Watched,
    { targets, cause }: Extract<FleetEffect, { type: 'apply' }>,
  ): void {
    for (const [key, before] of Object.entries(watched.targets)) {
      const target = targets[key] ?? 0;
      if (target >= before) continue;
      this.applied++;
      const { plan } = instance.node.situation;
      if (cause !== 'alone' && plan === undefined)
        this.#fail(instance, `${key} went to ${target} without a plan`);
      if (target === 0) this.#checkLast(instance, key, plan);
    }
    watched.targets = targets;
  }

  #checkLast(instance: SimulatedInstance, key: string, plan: Plan | undefined): void {
    if (instance.stub.running(key) === 0 || plan?.ending.includes(key) === true) return;
    const others = this.#instances().filter((other) => other !== instance && other.isAlive);
    if (others.some((other) => other.stub.running(key) > 0)) return;
    const ranAt = this.#ranAt.get(key);
    const isNew = [...(ranAt ?? [])].some(
      ([id, at]) => id !== instance.id && this.#world.now - at <= NEWS_MS,
    );
    if (!isNew) this.#fail(instance, `the last running replica of ${key} was stopped`);
  }

  /** Remembers what runs, so that news that travel are told from errors. */
  note(): void {
    for (const instance of this.#instances()) {
      if (!instance.isAlive) continue;
      for (const app of instance.declaration.apps) {
        for (const { name } of app.deployments) {
          const key = deploymentKey(app.name, name);
          if (instance.stub.running(key) === 0) continue;
          const ranAt = this.#ranAt.get(key) ?? new Map<string, number>();
          ranAt.set(instance.id, this.#world.now);
          this.#ranAt.set(key, ranAt);
        }
      }
    }
  }

  #checkRate(instance: SimulatedInstance, { times }: Watched, type: string): void {
    const most = MAX_EFFECTS[type as keyof typeof MAX_EFFECTS];
    if (most === undefined) return;
    const recent = times.get(type) ?? [];
    recent.push(this.#world.now);
    while ((recent[0] ?? Infinity) < this.#world.now - WINDOW_MS) recent.shift();
    times.set(type, recent);
    if (recent.length > most)
      this.#fail(instance, `${recent.length} effects '${type}' within ${WINDOW_MS} ms`);
  }

  #watch(instance: SimulatedInstance): Watched {
    let watched = this.#watched.get(instance);
    if (watched === undefined) {
      watched = { plan: undefined, targets: {}, generation: 0, token: 0, times: new Map() };
      this.#watched.set(instance, watched);
    }
    return watched;
  }

  #fail(instance: SimulatedInstance, what: string): never {
    throw new Error(`after ${Math.round(this.#world.now)} ms, instance ${instance.id}: ${what}`);
  }
}
