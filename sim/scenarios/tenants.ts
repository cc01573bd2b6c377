import { constant, type Durations, exponential, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import type { Scenario } from '../scenario.ts';

const REPLICAS = 4;
const FULL_MS = 60_000;
const WARM_UP_MS = 2_000;
/** What the tenants offer, as multiples of the capacity. */
const OFFERED = { a: 3, b: 1 };

interface Case {
  readonly name: string;
  readonly a: Durations;
  readonly b: Durations;
  readonly deadlineMs: number | undefined;
}

const CASES: readonly Case[] = [
  { name: 'alike, 200 ms of deadline', a: exponential(20), b: exponential(20), deadlineMs: 200 },
  { name: 'alike, a full queue', a: exponential(20), b: exponential(20), deadlineMs: undefined },
  { name: '5 and 50 ms, 500 ms of deadline', a: constant(5), b: constant(50), deadlineMs: 500 },
  { name: '50 and 5 ms, a full queue', a: constant(50), b: constant(5), deadlineMs: undefined },
];

/** The replicas' time that each of two tenants of equal weight gets while both want more than their half. */
export const tenants: Scenario = {
  name: 'tenants',
  async run({ seed, scale }) {
    const endMs = WARM_UP_MS + FULL_MS * scale;
    const details: string[] = [];
    const errors: number[] = [];
    for (const one of CASES) {
      const share = await shareOfA(seed, one, endMs);
      errors.push(Math.abs(share / 0.5 - 1));
      details.push(
        `${one.name}: ${(100 * share).toFixed(1)} % for the tenant that offers three times as much`,
      );
    }
    return { measured: [{ key: 'tenant_share_error', value: Math.max(...errors), most: 0.05 }], details };
  },
};

function shareOfA(seed: number, { a, b, deadlineMs }: Case, endMs: number): Promise<number> {
  return inVirtualTime(seed, async (time) => {
    const random = seeded(seed);
    const deployment = await SimulatedDeployment.start(time, { replicas: REPLICAS });
    for (const [tenant, durations] of Object.entries({ a, b })) {
      const offered = (OFFERED[tenant === 'a' ? 'a' : 'b'] * REPLICAS) / durations.meanMs;
      const traffic = poisson(random, offered, endMs, durations);
      arrive(time, traffic.times, (index) => {
        deployment.call(computing(traffic.durations[index] as number), {
          meta: { tenant },
          ...(deadlineMs !== undefined && { deadlineMs }),
        });
      });
    }
    const busyMs = (tenant: string): number =>
      deployment.replicas.reduce((sum, { busyMs }) => sum + (busyMs.get(tenant) ?? 0), 0);
    await time.advanceTo(WARM_UP_MS);
    const before = { a: busyMs('a'), b: busyMs('b') };
    await time.advanceTo(endMs);
    const used = { a: busyMs('a') - before.a, b: busyMs('b') - before.b };
    await deployment.finish(endMs);
    return used.a / (used.a + used.b);
  });
}
