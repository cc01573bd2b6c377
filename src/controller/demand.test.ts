import { describe, expect, test } from 'vitest';
import { Demand } from './demand.ts';

const STEP_MS = 250;

interface Deployment {
  readonly replicas: number;
  /** Calls that a replica has at a time, and for how long each. */
  readonly places: number;
  readonly callMs: number;
}

/** A deployment to which calls come at a rate, sampled every 250 ms. */
class Fluid {
  readonly demand = new Demand(3_000);
  at = 0;
  queued = 0;
  #inSystem = 0;
  #ended = 0;

  run(ms: number, perSecond: number, { replicas, places, callMs }: Deployment): this {
    for (const until = this.at + ms; this.at < until; ) {
      this.at += STEP_MS;
      this.#inSystem += (perSecond * STEP_MS) / 1_000;
      const ended = Math.min(this.#inSystem, (replicas * places * STEP_MS) / callMs);
      this.#inSystem -= ended;
      this.#ended += ended;
      const busy = (perSecond * callMs) / 1_000;
      const ongoing = Math.min(replicas * places, this.#inSystem + busy);
      this.queued = Math.max(0, this.#inSystem - ongoing);
      this.demand.record({
        at: this.at,
        running: replicas,
        queued: this.queued,
        ongoing,
        ended: this.#ended,
      });
    }
    return this;
  }
}

describe('the load of calls that come', () => {
  const few: Deployment = { replicas: 2, places: 1, callMs: 20 };

  test('is the mean number of calls while none of them waits', () => {
    const { demand, at } = new Fluid().run(5_000, 70, few);
    expect(demand.arriving(at, 2_000, 2)).toBeCloseTo(demand.load(at, 2_000));
  });

  test('does not grow with the queue that is there for want of replicas', () => {
    const overloaded = new Fluid().run(5_000, 70, few).run(2_000, 350, few);
    const { demand, at, queued } = overloaded;
    expect(queued).toBeGreaterThan(400);
    expect(demand.load(at, 2_000)).toBeGreaterThan(200);
    // Seven replicas do 350 calls a second; as many again would end within 2 s what waits.
    expect(demand.arriving(at, 2_000, 2) / 2).toBeGreaterThan(7);
    expect(demand.arriving(at, 2_000, 2) / 2).toBeLessThan(14);
  });

  test('is what would run at a time where replicas have more places than they are meant to fill', () => {
    const roomy: Deployment = { replicas: 2, places: 16, callMs: 100 };
    const { demand, at } = new Fluid().run(5_000, 152, roomy).run(2_000, 760, roomy);
    expect(demand.arriving(at, 2_000, 8)).toBeGreaterThan(70);
    expect(demand.arriving(at, 2_000, 8)).toBeLessThan(90);
  });

  test('counts every call where hardly one has ended: there is nothing to reckon with', () => {
    const demand = new Demand(3_000);
    for (let at = 0; at <= 2_000; at += STEP_MS)
      demand.record({ at, running: 1, queued: 30, ongoing: 2, ended: 3 });
    expect(demand.arriving(2_000, 2_000, 2)).toBe(32);
  });
});

test('calls that waited and do not wait any more are no load', () => {
  const fluid = new Fluid().run(3_000, 350, { replicas: 2, places: 1, callMs: 20 });
  expect(fluid.demand.load(fluid.at, 3_000)).toBeGreaterThan(200);
  fluid.run(750, 70, { replicas: 60, places: 1, callMs: 20 });
  expect(fluid.queued).toBe(0);
  expect(fluid.demand.load(fluid.at, 3_000)).toBeLessThan(20);
});
