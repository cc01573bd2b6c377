import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../harness/child.ts';
import type { Metrics } from '../../harness/samples.ts';
import type { Cell } from '../cell.ts';
import { FIXED_REPLICAS, type FleetAppName } from '../fleet-apps.ts';
import type { InstanceRequest, InstanceState } from '../fleet-instance.ts';
import { BenchRedis } from '../redis.ts';

const SCRIPT = new URL('../fleet-instance.ts', import.meta.url);
const INSTANCES = 3;
const START_MS = 60_000;
const ASK_MS = 20_000;
/** Longest time that anything of a fleet may take here, in ms. */
const LIMIT_MS = 180_000;
const LOOK_MS = 25;
/** Longer than the leader's lease. */
const REDIS_AWAY_MS = 20_000;
/** Time for which an autoscaled app is at rest before its load rises, in ms. */
const REST_MS = 5_000;

/**
 * Three instances with the default times of the protocol, over a real Redis, under load: how soon the fleet repairs what
 * breaks. Every replica of the bench waits; what is measured is the control plane.
 */
export const fleetTimes: Cell = {
  name: 'fleet-times',
  units: {
    joinMs: 'ms',
    killedMs: 'ms',
    frozenLeaderMs: 'ms',
    thawedRedisMs: 'ms',
    restartedRedisMs: 'ms',
    stepMs: 'ms',
    calls: '',
    failed: '',
  },
  keys: [
    {
      key: 'control.fleet_join_ms',
      metric: 'joinMs',
      reduction: 'max',
      goal: 'none: from the start of a process',
    },
    { key: 'control.fleet_replicas_back_ms', metric: 'killedMs', reduction: 'max', goal: '≤ 20000 ms' },
    { key: 'control.fleet_new_leader_ms', metric: 'frozenLeaderMs', reduction: 'max', goal: '≤ 17400 ms' },
    { key: 'control.fleet_redis_thawed_ms', metric: 'thawedRedisMs', reduction: 'max', goal: '≤ 5000 ms' },
    {
      key: 'control.fleet_redis_restarted_ms',
      metric: 'restartedRedisMs',
      reduction: 'max',
      goal: '≤ 5000 ms',
    },
    { key: 'control.fleet_step_first_replica_ms', metric: 'stepMs', goal: '≤ 2000 ms' },
    { key: 'control.fleet_failed', metric: 'failed', reduction: 'sum', goal: '0' },
  ],
  timeoutMs: 600_000,
  rounds: 1,
  async measure() {
    await using fleet = await Fleet.start();
    const stepMs = await fleet.step();
    const thawedRedisMs = await fleet.thawRedis();
    const restartedRedisMs = await fleet.restartRedis();
    const killedMs = await fleet.kill();
    const joinMs = await fleet.join();
    const frozenLeaderMs = await fleet.freezeLeader();
    const { calls, failed } = await fleet.ended();
    return {
      stepMs,
      thawedRedisMs,
      restartedRedisMs,
      killedMs,
      joinMs,
      frozenLeaderMs,
      calls,
      failed,
    } satisfies Metrics;
  },
};

type Instance = Child<InstanceRequest, InstanceState>;

/** A fleet of processes under a light load from each of them. */
class Fleet implements AsyncDisposable {
  readonly #redis: BenchRedis;
  readonly #all: Instance[] = [];
  #replicas = FIXED_REPLICAS;
  #calls = 0;
  #failed = 0;

  private constructor(redis: BenchRedis) {
    this.#redis = redis;
  }

  static async start(): Promise<Fleet> {
    const fleet = new Fleet(await BenchRedis.start());
    try {
      for (let index = 0; index < INSTANCES; index++) await fleet.#add();
      await fleet.#balanced();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ten times the load of an autoscaled app: until one more replica runs. */
  async step(): Promise<number> {
    await this.#spread('scaled', 2);
    await sleep(REST_MS);
    const before = await this.#running('scaled');
    const begin = performance.now();
    await this.#spread('scaled', 20);
    await until(async () => (await this.#running('scaled')) > before);
    const took = performance.now() - begin;
    await this.#spread('scaled', 0);
    return took;
  }

  /** @returns time until an order is carried out, once a Redis that stood still goes on */
  async thawRedis(): Promise<number> {
    this.#redis.freeze();
    await sleep(REDIS_AWAY_MS);
    const begin = performance.now();
    this.#redis.thaw();
    await this.#ordered();
    return performance.now() - begin;
  }

  /** @returns time until an order is carried out, once a Redis that was away answers, empty */
  async restartRedis(): Promise<number> {
    await this.#redis.stop();
    await sleep(REDIS_AWAY_MS);
    await this.#redis.restart();
    const begin = performance.now();
    await this.#ordered();
    return performance.now() - begin;
  }

  /** An instance that does not lead dies: until as many replicas run as before. */
  async kill(): Promise<number> {
    const killed = await this.#follower();
    await this.#forget(killed);
    const begin = performance.now();
    process.kill(killed.pid as number, 'SIGKILL');
    await this.#settled();
    return performance.now() - begin;
  }

  /** One more instance, from the start of its process until a replica runs there. */
  async join(): Promise<number> {
    const begin = performance.now();
    const joined = await this.#add();
    await until(async () => (await state(joined)).running.fixed > 0);
    const took = performance.now() - begin;
    await this.#balanced();
    return took;
  }

  /** The leader stands still: until another instance leads. */
  async freezeLeader(): Promise<number> {
    const frozen = await this.#leader();
    await this.#forget(frozen);
    const begin = performance.now();
    process.kill(frozen.pid as number, 'SIGSTOP');
    await until(async () => (await this.#states()).some((other) => other.leader === other.id));
    const took = performance.now() - begin;
    process.kill(frozen.pid as number, 'SIGCONT');
    await frozen.stop();
    return took;
  }

  /** @returns what became of the calls of instances that lived */
  async ended(): Promise<{ calls: number; failed: number }> {
    for (const instance of this.#all) await this.#count(instance);
    return { calls: this.#calls, failed: this.#failed };
  }

  async #add(): Promise<Instance> {
    const name = `instance ${this.#all.length + 1}`;
    const instance = await Child.start<InstanceRequest, InstanceState>(
      name,
      SCRIPT,
      [this.#redis.url],
      START_MS,
    );
    this.#all.push(instance);
    await instance.ask({ type: 'load', app: 'fixed', inFlight: 2 }, ASK_MS);
    return instance;
  }

  /** Asks an instance no more: a fault comes to it. */
  async #forget(instance: Instance): Promise<void> {
    await this.#count(instance);
    this.#all.splice(this.#all.indexOf(instance), 1);
  }

  async #count(instance: Instance): Promise<void> {
    const { ok, errors } = await state(instance);
    this.#calls += ok;
    this.#failed += errors.length;
    if (errors.length > 0) console.error(errors.slice(0, 3).join('\n'));
  }

  async #states(): Promise<InstanceState[]> {
    return Promise.all(this.#all.map(state));
  }

  async #running(app: FleetAppName): Promise<number> {
    return (await this.#states()).reduce((sum, { running }) => sum + running[app], 0);
  }

  /** Resolves once all follow one leader, and as many replicas run as are wanted. */
  async #settled(isDone: (states: readonly InstanceState[]) => boolean = () => true): Promise<void> {
    await until(async () => {
      const states = await this.#states();
      const leaders = new Set(states.map(({ leader }) => leader));
      const running = states.reduce((sum, state) => sum + state.running.fixed, 0);
      const isWhole = leaders.size === 1 && !leaders.has(undefined) && running === this.#replicas;
      return isWhole && isDone(states);
    });
  }

  /** Resolves once no replica has to be moved any more. */
  async #balanced(): Promise<void> {
    await this.#settled((states) => {
      const each = states.map(({ running }) => running.fixed);
      return Math.max(...each) - Math.min(...each) <= 1;
    });
  }

  /** Orders one more replica, again until the order is accepted, and waits for it. */
  async #ordered(): Promise<void> {
    const [first] = this.#all;
    const replicas = ++this.#replicas;
    await until(async () => {
      try {
        await first?.ask({ type: 'scale', replicas }, ASK_MS);
        return true;
      } catch {
        return false;
      }
    });
    await this.#settled();
  }

  async #spread(app: FleetAppName, inFlight: number): Promise<void> {
    const [first] = this.#all;
    await first?.ask({ type: 'load', app, inFlight }, ASK_MS);
  }

  async #leader(): Promise<Instance> {
    for (const instance of this.#all) {
      const { id, leader } = await state(instance);
      if (id === leader) return instance;
    }
    throw new Error('no instance leads');
  }

  async #follower(): Promise<Instance> {
    const leader = await this.#leader();
    return this.#all.find((instance) => instance !== leader) as Instance;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((instance) => instance.stop()));
    await this.#redis.stop();
  }
}

function state(instance: Instance): Promise<InstanceState> {
  return instance.ask({ type: 'state' }, ASK_MS);
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`not done within ${LIMIT_MS} ms: ${isDone}`);
    await sleep(LOOK_MS);
  }
}
