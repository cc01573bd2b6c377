import { exponential, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import type { Nature } from '../engine/simulated-replica.ts';
import { poisson } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing, waiting } from '../engine/work.ts';
import type { Outcome, Scenario, ScenarioOptions } from '../scenario.ts';

const REPLICAS = 4;
const SERVICE = exponential(20);
/** Of what three good replicas can do. */
const LOADS = [0.2, 0.5, 0.8];
const KINDS = ['compute', 'wait'] as const;
/** Of a method that waits: for so many calls at once each replica is meant. */
const CONCURRENCY = 4;

interface Question {
  readonly nature: () => Nature;
  /** Calls of the bad replica are counted between these times. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** One of four replicas throws at once. */
export const blackHole: Scenario = {
  name: 'black-hole',
  async run(options) {
    const nature = (): Nature => ({ failsWith: new Error('the replica is broken') });
    const untilMs = 1_000 + 30_000 * options.scale;
    return worst('black_hole_share', options, { nature, fromMs: 1_000, untilMs });
  },
};

/** One of four replicas is ten times slower. */
export const slowReplica: Scenario = {
  name: 'slow-replica',
  async run(options) {
    const untilMs = 2_000 + 30_000 * options.scale;
    return worst('slow_replica_share', options, {
      nature: () => ({ slowness: () => 10 }),
      fromMs: 2_000,
      untilMs,
    });
  },
};

const SLOW_FROM_MS = 3_000;
const SLOW_ANSWER_MS = 1_500;
const LATER_MS = 10_000;

/** One of four replicas gives one slow answer and is well again. */
export const recovered: Scenario = {
  name: 'recovered',
  async run(options) {
    const fromMs = SLOW_FROM_MS + SLOW_ANSWER_MS + LATER_MS;
    const question = { nature: slowOnce, fromMs, untilMs: fromMs + 2_000 };
    const { shares, details } = await ask(options, question);
    const ofFairShare = Math.min(...shares) * REPLICAS;
    return { measured: [{ key: 'recovered_share', value: ofFairShare, least: 0.5 }], details };
  },
};

function slowOnce(): Nature {
  let isOver = false;
  return {
    takesMs(at) {
      if (isOver || at < SLOW_FROM_MS) return undefined;
      isOver = true;
      return SLOW_ANSWER_MS;
    },
  };
}

async function worst(key: string, options: ScenarioOptions, question: Question): Promise<Outcome> {
  const { shares, details } = await ask(options, question);
  return { measured: [{ key, value: Math.max(...shares), most: 0.05 }], details };
}

/** The share of the calls that the bad replica gets, by kind of method and load. */
async function ask({ seed }: ScenarioOptions, question: Question) {
  const shares: number[] = [];
  const details: string[] = [];
  for (const kind of KINDS) {
    const row: string[] = [];
    for (const load of LOADS) {
      const share = await shareOfFirst(seed, kind, load, question);
      shares.push(share);
      row.push(`load ${load}: ${(100 * share).toFixed(1)} %`);
    }
    details.push(`${kind}: ${row.join(', ')}`);
  }
  return { shares, details };
}

function shareOfFirst(
  seed: number,
  kind: (typeof KINDS)[number],
  load: number,
  { nature, fromMs, untilMs }: Question,
): Promise<number> {
  return inVirtualTime(seed, async (time) => {
    const deployment = await SimulatedDeployment.start(time, {
      replicas: REPLICAS,
      nature: (index) => (index === 0 ? nature() : {}),
    });
    const servers = (REPLICAS - 1) * (kind === 'wait' ? CONCURRENCY : 1);
    const { times, durations } = poisson(seeded(seed), (load * servers) / SERVICE.meanMs, untilMs, SERVICE);
    arrive(time, times, (index) => {
      const ms = durations[index] as number;
      deployment.call(kind === 'wait' ? waiting(ms) : computing(ms));
    });
    const begun = (): number[] => deployment.replicas.map((replica) => replica.begun);
    await time.advanceTo(fromMs);
    const before = begun();
    await time.advanceTo(untilMs);
    const counts = begun().map((count, index) => count - (before[index] as number));
    await deployment.finish(untilMs);
    return (counts[0] as number) / counts.reduce((sum, count) => sum + count, 0);
  });
}
