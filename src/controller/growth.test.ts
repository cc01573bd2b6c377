import { expect, test } from 'vitest';
import { seededRandom } from '../testing/random.ts';
import { isRising, MemorySeries } from './growth.ts';

const MIB = 1_048_576;

test('noise without a trend is taken for one in about a hundred cases', () => {
  const random = seededRandom(7);
  let rising = 0;
  for (let series = 0; series < 2_000; series++) if (isRising(Array.from({ length: 12 }, random))) rising++;
  expect(rising).toBeLessThan(40);
});

test('a leak is seen through the sawtooth of the garbage collector', () => {
  const random = seededRandom(3);
  const series = new MemorySeries();
  const grown = Array.from({ length: 60 }, (_, at) => {
    // 2 MiB a sample, under garbage of up to 20 MiB.
    series.add(100 * MIB + at * 2 * MIB + random() * 20 * MIB);
    return series.growth;
  });
  expect(grown.slice(0, 17)).toEqual(Array(17).fill(0));
  expect(grown.filter((bytes) => bytes > 0).length).toBeGreaterThan(30);
  expect(grown.at(-1) ?? 0).toBeGreaterThan(80 * MIB);
});

test('a sawtooth, a cache that is full, and a model that was loaded are no leaks', () => {
  const random = seededRandom(5);
  const shapes = {
    sawtooth: (at: number) => 100 + (at % 7) * 10,
    cache: (at: number) => 100 + Math.min(at * 4, 100) + random(),
    model: (at: number) => (at < 6 ? at * 100 : 600) + random(),
  };
  for (const shape of Object.values(shapes)) {
    const series = new MemorySeries();
    for (let at = 0; at < 120; at++) series.add(shape(at) * MIB);
    expect(series.growth).toBe(0);
  }
});
