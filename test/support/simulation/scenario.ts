import { inVirtualTime } from '../../../sim/engine/virtual-time.ts';
import type { BoundDeployment } from '../../../src/deployment/bound.ts';
import type { DeploymentOptions } from '../../../src/deployment/options/deployment-options.ts';
import { SERVE_ERRORS, ServeError } from '../../../src/errors.ts';
import { routeKey } from '../../../src/handle/routing/directory.ts';
import { plannedReplicas } from '../../../src/store/snapshot.ts';
import { model, shop } from '../../fixtures/updates/simulated.ts';
import { Invariants } from './invariants.ts';
import { SimulatedInstance } from './simulated-instance.ts';
import type { Behaviour } from './simulated-replica.ts';

/** One run, as its seed has it. */
export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** What was done, and when. */
  readonly script: readonly string[];
  /** Kinds of commands, and how deploys ended, with their numbers. */
  readonly counts: Readonly<Record<string, number>>;
}

const APP = 'app';
const COMMANDS = 12;
/** Everything is settled so long after the last command. */
const CALM_MS = 90_000;

const GOOD: readonly Behaviour[] = [
  { isGood: true, startMs: 200, callMs: 90 },
  { isGood: true, startMs: 700, callMs: 140 },
  // A slow start.
  { isGood: true, startMs: 2_500, callMs: 90 },
];
const BAD: readonly Behaviour[] = [
  { isGood: false, startMs: 150, callMs: 90, failsIn: 'construct' },
  { isGood: false, startMs: 150, callMs: 90, failsIn: 'import' },
  // It does not come up in time.
  { isGood: false, startMs: 60_000, callMs: 90 },
  { isGood: false, startMs: 200, callMs: 90, diesAfterMs: 400 },
  { isGood: false, startMs: 200, callMs: 90, failing: 0.5 },
  { isGood: false, startMs: 200, callMs: Infinity },
  { isGood: false, startMs: 200, callMs: 900 },
];

/** Everything sooner than by default. */
const QUICK: DeploymentOptions = {
  startTimeoutMs: 4_000,
  requestTimeoutMs: 3_000,
  gracefulShutdownTimeoutMs: 1_000,
  pendingTimeoutMs: 5_000,
  maxOngoingRequests: 4,
  rollout: { observeMs: 3_000 },
  restart: { maxCrashes: 4, windowMs: 10_000, maxDelayMs: 4_000 },
};
const ELASTIC = { upscaleDelayMs: 500, downscaleDelayMs: 4_000, lookBackPeriodMs: 1_000 };

/** A run of random commands. */
class Run {
  readonly seed: number;
  readonly script: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #instance: SimulatedInstance;
  readonly #invariants: Invariants;
  readonly #behaviours: Map<string, Behaviour>;
  readonly #random: () => number;
  /** What was begun and has not ended. */
  readonly #open = new Set<string>();
  #versions = 0;
  /** The version that each deployment was asked for last. */
  #asked: readonly [string, string] = ['', ''];

  constructor(seed: number, instance: SimulatedInstance, behaviours: Map<string, Behaviour>) {
    this.seed = seed;
    this.#instance = instance;
    this.#behaviours = behaviours;
    this.#random = () => instance.time.random();
    this.#invariants = new Invariants(instance);
  }

  async all(): Promise<Outcome> {
    this.#command('load', () => this.#load());
    this.#command('run', () => this.#run());
    for (let index = 0; index < COMMANDS; index++) {
      await this.#instance.pass(this.#number(100, 6_000));
      this.#any();
    }
    const calmSince = this.#instance.time.now();
    await this.#settle();
    this.#judge(calmSince);
    await this.#instance.close();
    if (this.#instance.hosts.of(APP, 'Model').length > 0) this.#fail('a replica outlives its app');
    const { seed, script, counts } = this;
    return { seed, script, counts, violations: this.#invariants.violations };
  }

  #any(): void {
    const commands: Record<string, () => unknown> = {
      run: () => this.#run(),
      upgrade: () => this.#run(),
      scale: () => this.#scale(),
      load: () => this.#load(),
      crash: () => this.#crash(),
      canary: () => this.#canary(),
      promote: () => this.#begin('promote', this.#instance.plane.promote(APP)),
      rollback: () => this.#begin('rollback', this.#instance.plane.rollBack(APP)),
      capacity: () => this.#capacity(),
    };
    const names = Object.keys(commands);
    const name = names[Math.floor(this.#random() * names.length)] as string;
    this.#command(name, commands[name] as () => unknown);
  }

  #command(name: string, run: () => unknown): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    const at = Math.round(this.#instance.time.now());
    this.script.push(`${at} ms: ${name}`);
    const said = run();
    if (typeof said === 'string') this.script[this.script.length - 1] = `${at} ms: ${name} ${said}`;
  }

  #run(): string {
    const [bound, what] = this.#bind();
    this.#begin(`run ${what}`, this.#instance.plane.deployer.deploy(bound, APP, null));
    return what;
  }

  #canary(): string {
    const [bound, what] = this.#bind();
    const canary = this.#pick([0.1, 0.5]);
    this.#begin(`canary ${what}`, this.#instance.plane.startTrial(bound, APP, { canary }));
    return `${what} for ${canary}`;
  }

  /** An app of two deployments: versions as they are, or other ones, good or bad. */
  #bind(): [BoundDeployment<unknown>, string] {
    const [shopVersion, modelVersion] = this.#asked;
    const isOther = this.#random();
    const versions = [
      shopVersion === '' || isOther < 0.4 ? this.#version() : shopVersion,
      modelVersion === '' || isOther > 0.2 ? this.#version() : modelVersion,
    ] as const;
    this.#asked = versions;
    const behind = model.options({ ...QUICK, version: versions[1], ...this.#size() }).bind();
    const bound = shop.options({ ...QUICK, version: versions[0], ...this.#size() }).bind(behind);
    return [bound as BoundDeployment<unknown>, versions.join(' ')];
  }

  #version(): string {
    const isGood = this.#versions < 2 ? this.#random() < 0.9 : this.#random() < 0.6;
    const behaviours = isGood ? GOOD : BAD;
    const index = Math.floor(this.#random() * behaviours.length);
    const name = `${isGood ? 'good' : 'bad'}${index}-${++this.#versions}`;
    this.#behaviours.set(name, behaviours[index] as Behaviour);
    return name;
  }

  #size(): DeploymentOptions {
    if (this.#random() < 0.5) return { numReplicas: this.#number(1, 5) };
    const minReplicas = this.#number(0, 2);
    const maxReplicas = Math.max(1, minReplicas) + this.#number(0, 4);
    return { autoscaling: { ...ELASTIC, minReplicas, maxReplicas } };
  }

  #scale(): string {
    const deployment = this.#pick(['Shop', 'Model']);
    const min = this.#number(0, 3);
    const scale =
      this.#random() < 0.6 ? { replicas: this.#number(1, 6) } : { min, max: min + this.#number(1, 4) };
    this.#begin('scale', this.#instance.plane.scale(APP, deployment, scale));
    return `${deployment} to ${JSON.stringify(scale)}`;
  }

  #load(): string {
    const rate = this.#pick([0, 3, 10, 25]);
    this.#instance.rates.set(APP, rate);
    return `${rate}/s`;
  }

  #crash(): string {
    const app = this.#pick([APP, APP, `${APP}@canary`]);
    const replica = this.#pick(this.#instance.hosts.of(app, this.#pick(['Shop', 'Model'])));
    replica?.end(new Error('it crashed'));
    return replica?.place.replicaId ?? 'nothing';
  }

  #capacity(): string {
    const percent = this.#pick([0, 30, 60, 100, undefined]);
    const config = { apps: [], targetCapacity: percent ?? null };
    this.#begin('capacity', this.#instance.plane.configure(config));
    return `${percent ?? 100} %`;
  }

  #begin(what: string, work: Promise<unknown>): void {
    const name = `${what} (${this.script.length})`;
    this.#open.add(name);
    const [kind = ''] = what.split(' ');
    const ended = (how: string): void => {
      this.#open.delete(name);
      const counted = `${kind}: ${how}`;
      this.counts[counted] = (this.counts[counted] ?? 0) + 1;
    };
    work.then(
      () => ended('done'),
      (error: unknown) => {
        const isCoded = error instanceof ServeError && error.code in SERVE_ERRORS;
        if (!isCoded) this.#fail(`${name} ended with ${String(error)}`);
        ended(isCoded ? error.code : 'no code');
      },
    );
  }

  async #settle(): Promise<void> {
    for (let ms = 0; ms < CALM_MS; ms += 1_000) {
      if (ms >= 10_000 && this.#open.size === 0 && this.#unsettled().length === 0) return;
      await this.#instance.pass(1_000);
    }
  }

  /** What is not as it was asked for, although its version is good. */
  #unsettled(): string[] {
    const found: string[] = [];
    const snapshot = this.#instance.store.read();
    for (const { name: app, spec, serving, deployments } of this.#instance.plane.apps) {
      const isGood = spec.deployments.every(({ version }) => this.#behaviours.get(version)?.isGood === true);
      if (spec !== serving) found.push(`${app} is to be what it is not, and does not go back`);
      if (!isGood) continue;
      for (const { name, version } of spec.deployments) {
        const report = deployments.get(name)?.report();
        const planned = plannedReplicas(snapshot, routeKey(app, name));
        const running = report?.replicas.filter((replica) => replica.state === 'RUNNING') ?? [];
        const isThere = running.length === planned && running.every((one) => one.version === version);
        if (isThere && report?.status === 'HEALTHY') continue;
        found.push(
          `${app}/${name} ${version} is ${report?.status}, ${running.length} of ${planned} run (${report?.message})`,
        );
      }
      if (deployments.size > spec.deployments.length) found.push(`${app} has a deployment too many`);
    }
    return found;
  }

  #judge(calmSince: number): void {
    for (const name of this.#open) this.#fail(`${name} never ended`);
    for (const what of this.#unsettled()) this.#fail(what);
    for (const deployment of ['Shop', 'Model']) {
      const reversals = this.#invariants.reversals(APP, deployment, calmSince);
      if (reversals > 1) this.#fail(`${deployment} flaps: ${this.#invariants.history(APP, deployment)}`);
    }
    for (const problem of this.#instance.problems) this.#fail(`a listener threw ${String(problem)}`);
  }

  #fail(what: string): void {
    this.#invariants.violations.push(what);
  }

  #number(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }
}

/** Runs the commands of a seed. The same seed gives the same run. */
export async function simulate(seed: number): Promise<Outcome> {
  return inVirtualTime(seed, async (time) => {
    const behaviours = new Map<string, Behaviour>();
    return new Run(seed, new SimulatedInstance(time, behaviours), behaviours).all();
  });
}
