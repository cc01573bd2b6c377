import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { CountCallerData } from '../../test/fixtures/threads/count-caller.ts';
import { SECOND_COUNTS_BYTES, SecondCounts } from './second-counts.ts';

describe('counts per second', () => {
  test('a window is the second and those before it; older ones are forgotten', () => {
    const counts = new SecondCounts();
    for (let second = 0; second < 40; second++) counts.add(2, second);
    expect(counts.sum(39, 10)).toBe(20);
    expect(counts.sum(45, 10)).toBe(8);
    expect(counts.sum(49, 10)).toBe(0);
    // The same slots, another turn.
    expect(counts.sum(39 + 16, 10)).toBe(0);
  });

  test('a second read late counts where it belongs, or not at all', () => {
    const counts = new SecondCounts();
    counts.add(1, 20);
    counts.add(5, 18);
    expect(counts.sum(20, 10)).toBe(6);
    counts.add(7, 4);
    expect(counts.sum(20, 10)).toBe(6);
  });

  test('takes no more than the limit says, over the window', () => {
    const counts = new SecondCounts();
    counts.add(3, 9);
    expect([1, 2, 3].map(() => counts.addWithin(5, 10, 10))).toEqual([true, true, false]);
    expect(counts.sum(10, 10)).toBe(5);
    expect(counts.addWithin(5, 19, 10)).toBe(true);
  });

  test('after a long silence it starts again', () => {
    const counts = new SecondCounts();
    counts.add(3, 5);
    const later = 5 + 16 * 3_000;
    counts.add(1, later);
    expect(counts.sum(later, 10)).toBe(1);
  });

  test('is exact over threads', async () => {
    const shared = new SharedArrayBuffer(SECOND_COUNTS_BYTES);
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const most = 20_000;
    const workerData: CountCallerData = {
      counts: shared,
      gate: gate.buffer as SharedArrayBuffer,
      most,
      second: 100,
    };
    new SecondCounts(shared).add(500, 95);
    const entry = new URL('../../test/fixtures/threads/count-caller.ts', import.meta.url);
    const workers = Array.from({ length: 3 }, () => new Worker(entry, { workerData }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const taken = Promise.all(workers.map((worker) => once(worker, 'message') as Promise<[number]>));
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const sum = (await taken).reduce((total, [count]) => total + count, 0);
    expect(sum).toBe(most - 500);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});
