import { describe, expect, test } from 'vitest';
import { mean } from '../../sim/engine/quantile.ts';
import { exponential, seeded } from '../../sim/engine/random.ts';
import { inVirtualTime, type VirtualTime } from '../../sim/engine/virtual-time.ts';
import { batch } from './batch.ts';

/** What a batch does for so long: it holds the loop, or waits for something else. */
type Kind = 'computing' | 'waiting';

const costMs = (items: number): number => 10 + items;

interface Model {
  readonly sizes: number[];
  readonly call: () => Promise<number>;
}

function model(time: VirtualTime, kind: Kind, mode: 'adaptive' | 'fixed', batchWaitTimeoutMs = 10): Model {
  const sizes: number[] = [];
  const run = batch<number, number>({ mode, maxBatchSize: 64, batchWaitTimeoutMs }, async (items) => {
    sizes.push(items.length);
    await (kind === 'computing' ? time.hold(costMs(items.length)) : time.sleep(costMs(items.length)));
    return items;
  });
  return { sizes, call: () => run(1) };
}

/** Each caller calls again so many ms after its answer, and begins at another time. */
async function keepCalling(
  time: VirtualTime,
  { call }: Model,
  returnMs: number[],
  rounds: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const callers = returnMs.map(async (pause, index) => {
    await time.sleep(3.7 * index);
    for (let round = 0; round < rounds; round++) {
      const begunAt = time.now();
      await call();
      latencies.push(time.now() - begunAt);
      if (pause > 0) await time.sleep(pause);
    }
  });
  let isOver = false;
  const all = Promise.all(callers).then(() => {
    isOver = true;
  });
  while (!isOver) await time.advanceTo(time.now() + 100);
  await all;
  return latencies;
}

/** Poisson arrivals, one per so many ms. @returns the mean latency */
function serve(kind: Kind, mode: 'adaptive' | 'fixed', gapMs: number): Promise<number> {
  return inVirtualTime(1, async (time) => {
    const own = model(time, kind, mode, mode === 'fixed' ? 0 : 10);
    const [random, gap] = [seeded(5), exponential(gapMs)];
    const latencies: number[] = [];
    let at = 0;
    for (let arrival = 0; arrival < 1_000; arrival++) {
      at += gap.draw(random);
      const begunAt = at;
      time.at(begunAt, () => void own.call().then(() => latencies.push(time.now() - begunAt)));
    }
    while (latencies.length < 1_000) await time.advanceTo(time.now() + 100);
    return mean(latencies);
  });
}

describe.each<Kind>(['waiting', 'computing'])('an adaptive batch of a method that is %s', (kind) => {
  test('brings callers into step that wait for each other', () =>
    inVirtualTime(1, async (time) => {
      const own = model(time, kind, 'adaptive');
      const latencies = await keepCalling(time, own, [0.3, 0.35, 0.4, 0.5], 60);
      expect(new Set(own.sizes.slice(30, 55))).toEqual(new Set([4]));
      expect(mean(latencies.slice(-100))).toBeLessThan(1.05 * costMs(4));
    }));

  test('never waits for a lone caller', () =>
    inVirtualTime(1, async (time) => {
      const latencies = await keepCalling(time, model(time, kind, 'adaptive'), [0.3], 60);
      expect(Math.max(...latencies)).toBeCloseTo(costMs(1), 6);
    }));

  test('does not take callers of its own thread for twice as many', () =>
    inVirtualTime(1, async (time) => {
      const own = model(time, kind, 'adaptive');
      const latencies = await keepCalling(time, own, [0, 0, 0, 0], 60);
      expect(new Set(own.sizes.slice(30, 55))).toEqual(new Set([4]));
      expect(Math.max(...latencies.slice(-100))).toBeCloseTo(costMs(4), 6);
    }));

  test.each([20, 8, 4, 2])('starts at once where callers are independent, %d ms apart', async (gapMs) => {
    const atOnce = await serve(kind, 'fixed', gapMs);
    expect((await serve(kind, 'adaptive', gapMs)) / atOnce).toBeLessThan(1.02);
  });
});
