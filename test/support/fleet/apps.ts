import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { FleetTiming } from '../../../src/cluster/node/timing.ts';
import type { StatusReport } from '../../../src/index.ts';
import type { AppCommand, AppSettings } from '../../fixtures/programs/fleet-app.ts';
import { type Outcomes, steadyLoad } from '../steady-load.ts';
import { eventually } from '../until.ts';
import { FLEET } from './instances.ts';
import { TEST_TIMING } from './redis-fleet.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/fleet-app.ts', import.meta.url));
/** Limit against hangs: a process of a busy machine may take long to start. */
const LIMIT_MS = 60_000;

/** The fleet of these tests, with the times of the protocol at a fifth. */
export const APPS_TIMING: FleetTiming = { ...TEST_TIMING, hostTickMs: 2_000, aloneMs: 1_500 };

export type AppOptions = Partial<Omit<AppSettings, 'fleet' | 'fleetEntry' | 'workerEntry'>> & {
  readonly redis?: string;
  readonly timing?: FleetTiming;
};

/** One app server of a fleet, a process of its own. */
export class FleetApp implements AsyncDisposable {
  readonly process: ChildProcess;
  /** Resolves with exit code and signal. */
  readonly ended: Promise<unknown[]>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #agent = new Agent({ keepAlive: true });
  port = 0;
  instance = '';
  #commands = 0;

  constructor(settings: AppSettings) {
    const env = { ...process.env, APP: JSON.stringify(settings) };
    this.process = fork(PROGRAM, { env, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.ended = once(this.process, 'exit');
    this.process.on('message', ({ id, result, error }: { id: number; result: unknown; error?: string }) => {
      const open = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) open?.resolve(result);
      else open?.reject(new Error(error));
    });
  }

  /** Resolves once it listens, which is once its app runs. */
  async listening(): Promise<this> {
    const died = this.ended.then(([code]) => {
      throw new Error(`an app ended with ${String(code)} before it listened`);
    });
    const [message] = (await Promise.race([once(this.process, 'message'), died])) as [
      { port: number; instance: string },
    ];
    died.catch(() => {});
    this.port = message.port;
    this.instance = message.instance;
    return this;
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  async tell<T>(command: AppCommand): Promise<T> {
    const id = ++this.#commands;
    const open = Promise.withResolvers<unknown>();
    this.#waiting.set(id, open);
    this.process.send({ id, command });
    return (await open.promise) as T;
  }

  status(): Promise<StatusReport> {
    return this.tell<StatusReport>({ type: 'status' });
  }

  /** Ids of the replicas that run in it. */
  async replicas(): Promise<string[]> {
    const { apps } = await this.status();
    const all = apps['work']?.deployments['Work']?.replicas ?? [];
    return all.filter(({ state }) => state === 'RUNNING').map(({ id }) => id);
  }

  /** One request to it, which takes so long. @returns the label of the version that answered */
  ask(ms: number): Promise<string> {
    return new Promise((resolve, reject) => {
      get({ agent: this.#agent, host: '127.0.0.1', port: this.port, path: `/${ms}` }, (response) => {
        response.toArray().then((chunks) => {
          const body = Buffer.concat(chunks as Buffer[]).toString();
          if (response.statusCode === 200) resolve((JSON.parse(body) as { label: string }).label);
          else reject(new Error(`${response.statusCode} ${body}`));
        }, reject);
      }).on('error', reject);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
    this.#agent.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive) await this.kill();
    else this.#agent.destroy();
  }
}

let fleets = 0;

/** App servers that form a fleet over a Redis. */
export class FleetApps implements AsyncDisposable {
  readonly all: FleetApp[] = [];
  readonly #redis: string;
  readonly #defaults: AppOptions;
  readonly #name = `apps-${process.pid}-${++fleets}`;

  /** @param redis URL of the Redis */
  constructor(redis: string, defaults: AppOptions = {}) {
    this.#redis = redis;
    this.#defaults = defaults;
  }

  get name(): string {
    return this.#name;
  }

  /** Starts one more, and waits until it serves. */
  async add(options: AppOptions = {}): Promise<FleetApp> {
    return await this.begin(options).listening();
  }

  /** Starts one more without waiting. */
  begin(given: AppOptions = {}): FleetApp {
    const {
      redis = this.#redis,
      version = '1',
      args = { label: version },
      options = { numReplicas: 3 },
      isEager = false,
      port = 0,
      drainDelayMs = 500,
      timing = APPS_TIMING,
    } = { ...this.#defaults, ...given };
    const membership = { redis: { url: redis }, zone: '', timing };
    const app = new FleetApp({
      fleet: { ...FLEET, name: this.#name, membership },
      fleetEntry: inject('fleetEntry'),
      workerEntry: inject('threadEntry'),
      ...{ version, args, options, isEager, port, drainDelayMs },
    });
    this.all.push(app);
    return app;
  }

  async addMany(count: number, options: AppOptions = {}): Promise<FleetApp[]> {
    return await Promise.all(Array.from({ length: count }, () => this.add(options)));
  }

  get alive(): FleetApp[] {
    return this.all.filter(({ isAlive }) => isAlive);
  }

  /** Ids of all replicas that run, without those of the given instances. */
  async replicas(without: readonly FleetApp[] = []): Promise<string[]> {
    const apps = this.alive.filter((app) => !without.includes(app));
    return (await Promise.all(apps.map((app) => app.replicas()))).flat().sort();
  }

  /** Resolves once so many replicas run. */
  async settled(replicas: number, without: readonly FleetApp[] = []): Promise<string[]> {
    let found: string[] = [];
    await eventually(async () => {
      found = await this.replicas(without);
      return found.length === replicas;
    }, LIMIT_MS);
    return found;
  }

  /** Resolves once so many replicas run, and every instance has as many as the others, but for one. */
  async balanced(replicas: number): Promise<string[]> {
    await eventually(async () => {
      const each = (await Promise.all(this.alive.map((app) => app.replicas()))).map(({ length }) => length);
      const total = each.reduce((sum, count) => sum + count, 0);
      return total === replicas && Math.max(...each) - Math.min(...each) <= 1;
    }, LIMIT_MS);
    return await this.settled(replicas);
  }

  /** The instance that all of them take for the leader; waits until they agree on one. */
  async leader(without: readonly FleetApp[] = []): Promise<FleetApp> {
    let leader: FleetApp | undefined;
    await eventually(async () => {
      const apps = this.alive.filter((app) => !without.includes(app));
      const names = new Set((await Promise.all(apps.map((app) => app.status()))).map((one) => one.leader));
      leader = apps.find(({ instance }) => names.has(instance));
      return names.size === 1 && leader !== undefined;
    }, LIMIT_MS);
    return leader as FleetApp;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((app) => app[Symbol.asyncDispose]()));
  }
}

/** Requests to the given apps in turn while a fault does its worst. */
export function underRequests(
  apps: readonly FleetApp[],
  during: (outcomes: Outcomes) => Promise<unknown>,
  callers = 6,
): Promise<Outcomes> {
  let turn = 0;
  return steadyLoad(callers, () => (apps[turn++ % apps.length] as FleetApp).ask(5), during);
}
