import { describe, expect, test } from 'vitest';
import { type Answers, TimedDeployment } from '../../../test/support/routing/timed-deployment.ts';

/** Calls per second, and how long one takes on average, in ms. */
const LOADS = [
  [20, 10],
  [200, 10],
  [2_000, 1],
  [20, 100],
] as const;

function good(deployment: TimedDeployment, ms: number): Answers {
  return { ms: () => deployment.exponential(ms) };
}

const FAILS: Answers = { ms: () => 0.02, fails: () => 'unexpected' };

describe.each(LOADS)('at %d calls/s of %d ms', (perSecond, ms) => {
  test.each([2, 4, 8])(
    'one of %d replicas that fails at once gets hardly a call after a second',
    (replicas) => {
      using deployment = new TimedDeployment(1);
      const bad = deployment.start(FAILS);
      for (let replica = 1; replica < replicas; replica++) deployment.start(good(deployment, ms));
      deployment.run(6_000, perSecond);
      expect(deployment.share(bad, 1_000)).toBeLessThan(0.05);
    },
  );

  test.each([4, 8])(
    'one of %d replicas that is ten times slower gets few calls after two seconds',
    (replicas) => {
      using deployment = new TimedDeployment(2);
      const slow = deployment.start(good(deployment, 10 * ms));
      for (let replica = 1; replica < replicas; replica++) deployment.start(good(deployment, ms));
      deployment.run(12_000, perSecond);
      expect(deployment.share(slow, 2_000)).toBeLessThan(0.05);
    },
  );

  test('a replica that answered slowly once has its share again ten seconds later', () => {
    using deployment = new TimedDeployment(3);
    let isSlow = false;
    const once = deployment.start({
      ms: () => {
        if (!isSlow) return deployment.exponential(ms);
        isSlow = false;
        return 1_500;
      },
    });
    for (let replica = 1; replica < 4; replica++) deployment.start(good(deployment, ms));
    deployment.run(2_000, perSecond);
    isSlow = true;
    while (isSlow) deployment.run(100, perSecond);
    deployment.run(1_500, perSecond);
    const answeredAt = deployment.now;
    deployment.run(20_000, perSecond);
    expect(deployment.share(once, answeredAt, answeredAt + 2_000)).toBeLessThan(0.5 / 4);
    expect(deployment.share(once, answeredAt + 10_000)).toBeGreaterThan(0.5 / 4);
  });
});

test('a replica that comes later gets its share, neither more nor less', () => {
  using deployment = new TimedDeployment(4);
  for (let replica = 0; replica < 3; replica++) deployment.start(good(deployment, 10));
  deployment.run(5_000, 500);
  const added = deployment.now;
  const fresh = deployment.start(good(deployment, 10));
  deployment.run(100, 500);
  expect(fresh.peak).toBeLessThanOrEqual(6);
  deployment.run(5_000, 500);
  expect(deployment.share(fresh, added)).toBeGreaterThan(0.5 / 4);
  expect(deployment.share(fresh, added)).toBeLessThan(1.5 / 4);
});

test.each([0, 2_000])(
  'a replica that fails from %d ms on and no more after that has its share again',
  (from) => {
    using deployment = new TimedDeployment(5);
    let isBroken = from === 0;
    const broken = deployment.start({
      ms: () => (isBroken ? 0.02 : deployment.exponential(10)),
      fails: () => (isBroken ? 'unexpected' : undefined),
    });
    for (let replica = 1; replica < 4; replica++) deployment.start(good(deployment, 10));
    deployment.run(from, 500);
    isBroken = true;
    deployment.run(5_000, 500);
    expect(deployment.share(broken, from + 1_000)).toBeLessThan(0.05);
    expect(deployment.share(broken, from + 200, from + 1_000)).toBeLessThan(0.05);
    isBroken = false;
    deployment.run(20_000, 500);
    expect(broken.endpoint.tally.ejection.level).toBe(0);
    const back = deployment.now;
    deployment.run(5_000, 500);
    expect(deployment.share(broken, back)).toBeGreaterThan(0.5 / 4);
  },
);

test('no replica is taken that is ten times slower while a good one has room', () => {
  using deployment = new TimedDeployment(8);
  const slow = deployment.start(good(deployment, 200), 1);
  for (let replica = 1; replica < 4; replica++) deployment.start(good(deployment, 20), 1);
  // Few calls come while all three are busy.
  deployment.run(60_000, 15);
  expect(deployment.share(slow, 2_000)).toBeLessThan(0.04);
});

describe('these failures change nothing:', () => {
  test('those that all replicas have alike', () => {
    using deployment = new TimedDeployment(6);
    const answers: Answers = {
      ms: () => deployment.exponential(10),
      fails: () => (deployment.random() < 0.4 ? 'unexpected' : undefined),
    };
    const replicas = [0, 1, 2, 3].map(() => deployment.start(answers));
    deployment.run(20_000, 200);
    for (const replica of replicas) {
      expect(replica.endpoint.tally.ejection.lastLevel + replica.endpoint.tally.ejection.level).toBe(0);
      expect(deployment.share(replica, 0)).toBeGreaterThan(0.7 / 4);
    }
  });

  test('those that callers are to blame for, however quick', () => {
    using deployment = new TimedDeployment(7);
    const refusing = deployment.start({ ms: () => 0.02, fails: () => 'expected' });
    for (let replica = 1; replica < 4; replica++) deployment.start(good(deployment, 10));
    deployment.run(20_000, 200);
    expect(refusing.endpoint.tally.ejection.level).toBe(0);
    expect(deployment.share(refusing, 1_000)).toBeGreaterThan(0.5 / 4);
    expect(deployment.share(refusing, 1_000)).toBeLessThan(2 / 4);
  });
});
