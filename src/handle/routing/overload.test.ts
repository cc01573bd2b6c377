import { describe, expect, test } from 'vitest';
import { TestCall } from '../../../test/support/routing/fake-replica.ts';
import { TimedDeployment } from '../../../test/support/routing/timed-deployment.ts';

interface Offered {
  readonly perSecond: number;
  readonly method?: string;
  readonly tenant?: string;
  /** From the call on, in ms. Default: none. */
  readonly deadlineMs?: number;
}

const REPLICAS = 2;

/** Two replicas that work at one call at a time, to its end, whether its caller still waits or not. */
class Overloaded implements Disposable {
  readonly deployment: TimedDeployment;
  /** Time for which calls held replicas, and calls that ended in time, by tenant and by method. */
  readonly heldMs: Record<string, number> = {};
  readonly inTime: Record<string, number> = {};

  constructor(seed: number, durationMs: (call: TestCall, random: () => number) => number) {
    this.deployment = new TimedDeployment(seed);
    const ms = (call: TestCall): number => {
      const taken = durationMs(call, this.deployment.random);
      this.heldMs[call.tenant] = (this.heldMs[call.tenant] ?? 0) + taken;
      return taken;
    };
    for (let replica = 0; replica < REPLICAS; replica++) this.deployment.start({ ms }, 1);
  }

  /** Calls come at random. */
  offer(forMs: number, ...kinds: readonly Offered[]): void {
    const { deployment } = this;
    const end = deployment.now + forMs;
    for (const kind of kinds) {
      const next = (): void => {
        if (deployment.now < end) deployment.after(deployment.exponential(1_000 / kind.perSecond), arrive);
      };
      const arrive = (): void => {
        this.#call(kind);
        next();
      };
      next();
    }
    deployment.rest(forMs);
  }

  #call({ method = 'call', tenant, deadlineMs = 0 }: Offered): void {
    const { deployment } = this;
    const { route } = deployment.harness;
    const call = new TestCall(route, method);
    call.priorityRank = 1;
    if (tenant !== undefined) call.meta = { tenant };
    route.begin(call, deadlineMs === 0 ? 0 : deployment.now + deadlineMs);
    route.dispatch(call);
    const ended = (): void => {
      if (call.outcome === 'ok') this.inTime[method] = (this.inTime[method] ?? 0) + 1;
    };
    if (deadlineMs === 0) return;
    deployment.after(deadlineMs, () => {
      ended();
      if (!call.isSettled) call.expire(deployment.now);
    });
  }

  [Symbol.dispose](): void {
    this.deployment[Symbol.dispose]();
  }
}

function exponential(meanMs: number): (call: TestCall, random: () => number) => number {
  return (_call, random) => -meanMs * Math.log(1 - random());
}

describe('calls in time under overload, of as many as the replicas could serve', () => {
  const shareInTime = (load: number, ms: number, duration: Parameters<typeof exponential>[0] | undefined) => {
    using overloaded = new Overloaded(1, duration === undefined ? () => ms : exponential(ms));
    const offered = { perSecond: (load * REPLICAS * 1_000) / ms, deadlineMs: 200 };
    overloaded.offer(2_000, offered);
    const before = overloaded.inTime['call'] ?? 0;
    overloaded.offer(10_000, offered);
    return ((overloaded.inTime['call'] ?? 0) - before) / ((REPLICAS * 10_000) / ms);
  };

  test.each([2, 5, 10, 20])('%d times the load, durations that are always the same', (load) => {
    for (const ms of [20, 40, 70]) expect(shareInTime(load, ms, undefined)).toBeGreaterThan(0.97);
  });

  test.each([2, 5, 10, 20])('%d times the load, exponential durations', (load) => {
    for (const ms of [20, 40]) expect(shareInTime(load, ms, ms)).toBeGreaterThan(0.89);
  });
});

test('a method that was slow is served again soon, though another one keeps the replicas busy', () => {
  let isSlow = true;
  using overloaded = new Overloaded(2, ({ method }) => {
    if (method === 'busy') return 20;
    return isSlow ? 500 : 10;
  });
  const busy = { perSecond: 150, method: 'busy' };
  overloaded.offer(20_000, busy, { perSecond: 50, method: 'slow', deadlineMs: 2_000 });
  // What was called while it was slow is over.
  overloaded.offer(3_000, busy);
  isSlow = false;
  overloaded.offer(2_500, busy, { perSecond: 50, method: 'slow', deadlineMs: 200 });
  const before = overloaded.inTime['slow'] ?? 0;
  overloaded.offer(2_000, busy, { perSecond: 50, method: 'slow', deadlineMs: 200 });
  expect((overloaded.inTime['slow'] ?? 0) - before).toBeGreaterThan(80);
});

test('a method that cannot make its deadlines is tried once in a while, and costs the others little', () => {
  using overloaded = new Overloaded(3, ({ method }) => (method === 'busy' ? 20 : 500));
  const kinds = [
    { perSecond: 150, method: 'busy' },
    { perSecond: 50, method: 'unresponsive', deadlineMs: 200 },
  ];
  overloaded.offer(10_000, ...kinds);
  const since = overloaded.deployment.now;
  overloaded.offer(20_000, ...kinds);
  const tried = overloaded.deployment.sent.filter(
    ({ at, call }) => at >= since && call.method === 'unresponsive',
  ).length;
  expect(tried).toBeGreaterThan(5);
  expect(tried).toBeLessThan(25);
});

describe('two tenants of equal weight, one of which offers three times the capacity', () => {
  const shareOfFlood = (
    durationMs: (call: TestCall, random: () => number) => number,
    flood: Offered,
    other: Offered,
    forMs = 20_000,
  ): number => {
    using overloaded = new Overloaded(4, durationMs);
    const kinds = [
      { ...flood, tenant: 'flood' },
      { ...other, tenant: 'other' },
    ];
    overloaded.offer(1_000, ...kinds);
    const before = { ...overloaded.heldMs };
    overloaded.offer(forMs, ...kinds);
    const used = (tenant: string) => (overloaded.heldMs[tenant] ?? 0) - (before[tenant] ?? 0);
    return used('flood') / (used('flood') + used('other'));
  };
  const half = (share: number): void => {
    expect(share).toBeGreaterThan(0.475);
    expect(share).toBeLessThan(0.525);
  };

  test('its doomed calls cost it nothing', () => {
    half(
      shareOfFlood(exponential(20), { perSecond: 300, deadlineMs: 200 }, { perSecond: 100, deadlineMs: 200 }),
    );
  });

  test('calls of 200 ms and of 1 ms', () => {
    const duration = ({ tenant }: TestCall): number => (tenant === 'flood' ? 200 : 1);
    half(shareOfFlood(duration, { perSecond: 30 }, { perSecond: 2_000 }, 8_000));
  });

  test('what a replica works on after its caller has left is paid for', () => {
    const duration = ({ tenant }: TestCall, random: () => number): number =>
      tenant === 'flood' && random() < 0.5 ? 1_000 : 20;
    const flood = { perSecond: 12, deadlineMs: 200 };
    half(shareOfFlood(duration, flood, { perSecond: 100, deadlineMs: 500 }, 100_000));
  });
});
