import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Child } from '../../harness/child.ts';
import { percentile } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { BenchRedis } from '../redis.ts';
import type { StubRequest, StubState } from '../stub-instance.ts';

const SCRIPT = new URL('../stub-instance.ts', import.meta.url);
const INSTANCES = 20;
const DEPLOYMENTS = 10;
/** 20 instances × 200 stub replicas. */
const REPLICAS_EACH = 400;
/** Replicas that each deployment declares: few, so that the others are placed once all instances have joined. */
const DECLARED_EACH = INSTANCES;
const ORDERS = 20;
const REST_MS = Number(process.env['INSERVE_REST_MS'] ?? 60_000);
const ASK_MS = 20_000;
const START_MS = 120_000;

type Stub = Child<StubRequest, StubState>;

/**
 * A fleet of 20 processes with 200 stub replicas each, on one machine and one Redis: how soon the plan of an order reaches
 * all of them, and what the fleet costs at rest. The stubs report every 250 ms that they are busy.
 */
export const fleetOfStubs: Cell = {
  name: 'fleet-of-stubs',
  units: { planP99: 'ms', planP50: 'ms', flaps: '', leaderCpu: 'cores', otherCpu: 'cores', redisOps: '1/s' },
  keys: [
    { key: 'control.fleet_plan_reaches_all_p99_ms', metric: 'planP99', reduction: 'max', goal: '≤ 1000 ms' },
    { key: 'control.fleet_flaps', metric: 'flaps', reduction: 'sum', goal: '0' },
    { key: 'control.fleet_leader_cpu', metric: 'leaderCpu', reduction: 'max', goal: '≤ 0.1 of a core' },
    { key: 'control.fleet_redis_ops_per_instance', metric: 'redisOps', reduction: 'max', goal: '≤ 1.5' },
  ],
  timeoutMs: 600_000,
  rounds: 1,
  async measure() {
    await using server = await BenchRedis.start();
    const redis = server.client();
    const stubs: Stub[] = [];
    try {
      for (let number = 0; number < INSTANCES; number++) {
        const args = [`${number}`, server.url, `${DEPLOYMENTS}`, `${DECLARED_EACH}`];
        stubs.push(await Child.start<StubRequest, StubState>(`stub ${number}`, SCRIPT, args, START_MS));
      }
      await settled(stubs, DECLARED_EACH);
      for (let deployment = 0; deployment < DEPLOYMENTS; deployment++)
        await ask(stubs[0] as Stub, { type: 'scale', deployment, replicas: REPLICAS_EACH });
      await settled(stubs, REPLICAS_EACH);
      // A new leader removes nothing for 15 s.
      await sleep(16_000);
      const delays = await orders(stubs);
      return { ...(await rest(stubs, redis)), planP50: p(delays, 0.5), planP99: p(delays, 0.99) };
    } finally {
      redis.disconnect();
      await Promise.all(stubs.map((stub) => stub.stop()));
    }
  },
};

function ask(stub: Stub, request: StubRequest): Promise<StubState> {
  return stub.ask(request, ASK_MS);
}

async function states(stubs: readonly Stub[]): Promise<StubState[]> {
  return Promise.all(stubs.map((stub) => ask(stub, { type: 'state' })));
}

/** Resolves once all know each other, have all replicas, and follow one leader. */
async function settled(stubs: readonly Stub[], replicasEach: number): Promise<void> {
  for (;;) {
    const all = await states(stubs);
    const replicas = all.reduce((sum, state) => sum + state.replicas, 0);
    const isWhole = all.every(({ instances }) => instances === INSTANCES);
    const leaders = all.filter(({ isLeading }) => isLeading).length;
    if (isWhole && leaders === 1 && replicas === DEPLOYMENTS * replicasEach) return;
    await sleep(500);
  }
}

/** Gives orders; the times, in ms, from the acceptance of each order until the last instance follows it. */
async function orders(stubs: readonly Stub[]): Promise<number[]> {
  const delays: number[] = [];
  for (let order = 0; order < ORDERS; order++) {
    const deployment = order % DEPLOYMENTS;
    // Two more replicas, or two fewer, on each instance.
    const replicas = REPLICAS_EACH + (order < DEPLOYMENTS ? 2 * INSTANCES : 0);
    const total =
      DEPLOYMENTS * REPLICAS_EACH + 2 * INSTANCES * (order < DEPLOYMENTS ? order + 1 : ORDERS - order - 1);
    const begin = Date.now();
    await ask(stubs[order % INSTANCES] as Stub, { type: 'scale', deployment, replicas });
    let all: StubState[];
    do {
      await sleep(50);
      all = await states(stubs);
    } while (all.reduce((sum, state) => sum + state.replicas, 0) !== total);
    for (const { appliedAt } of all) if (appliedAt >= begin) delays.push(appliedAt - begin);
    await sleep(1_500);
  }
  return delays;
}

async function rest(stubs: readonly Stub[], redis: Redis): Promise<Record<string, number>> {
  await Promise.all(stubs.map((stub) => ask(stub, { type: 'reset' })));
  const before = await commandsOf(redis);
  const begin = performance.now();
  await sleep(REST_MS);
  const all = await states(stubs);
  const seconds = (performance.now() - begin) / 1_000;
  const others = all.filter(({ isLeading }) => !isLeading).map(({ cpu }) => cpu);
  return {
    flaps: all.reduce((sum, state) => sum + state.flaps, 0),
    leaderCpu: Math.max(0, ...all.filter(({ isLeading }) => isLeading).map(({ cpu }) => cpu)),
    otherCpu: others.reduce((sum, cpu) => sum + cpu, 0) / others.length,
    redisOps: ((await commandsOf(redis)) - before) / seconds / INSTANCES,
  };
}

/** Number of EVAL, EVALSHA and PUBLISH commands that Redis has run so far, also those inside scripts. */
async function commandsOf(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats');
  const calls = [...info.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)];
  return calls
    .filter(([, name]) => name === 'evalsha' || name === 'eval' || name === 'publish')
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

function p(values: readonly number[], share: number): number {
  return percentile(Float64Array.from(values).sort(), share);
}
