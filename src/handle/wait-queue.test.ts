import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UNCHARGED } from './tenant-lane.ts';
import { WaitQueue } from './wait-queue.ts';

interface Item {
  readonly priorityRank: number;
  readonly tenant: string;
  readonly expiresAt: number;
  readonly number: number;
  isQueued: boolean;
  chargedMs: number;
}

/** The order, said another way: a stable sort by priority, then deadline (none = last). */
function inOrder(items: Item[]): Item[] {
  return [...items]
    .sort((a, b) => a.number - b.number)
    .sort((a, b) => (a.expiresAt || Infinity) - (b.expiresAt || Infinity) || 0)
    .sort((a, b) => a.priorityRank - b.priorityRank);
}

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ priorityRank: fc.nat(3), expiresAt: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.constant('shift' as const) },
    // Which of those that wait leaves by itself: a share of the queue.
    { weight: 2, arbitrary: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) },
  ),
  { maxLength: 400 },
);

test('answers the first in order, whoever comes and goes', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const queue = new WaitQueue<Item>();
      let model: Item[] = [];
      let number = 0;
      for (const step of script) {
        if (step === 'shift') {
          const first = inOrder(model)[0];
          expect(queue.peek()).toBe(first);
          if (first === undefined) continue;
          queue.shift();
          first.isQueued = false;
          model = model.filter((item) => item !== first);
        } else if (typeof step === 'number') {
          const leaver = model[Math.floor(step * model.length)];
          if (leaver === undefined) continue;
          leaver.isQueued = false;
          queue.forget(leaver);
          model = model.filter((item) => item !== leaver);
        } else {
          const item = { ...step, tenant: '', number: number++, isQueued: true, chargedMs: UNCHARGED };
          model.push(item);
          queue.push(item);
        }
        expect(queue.size).toBe(model.length);
      }
      expect(new Set(queue)).toEqual(new Set(model));
      expect(queue.drain()).toEqual(inOrder(model));
      expect(queue.peek()).toBeUndefined();
      expect(queue.size).toBe(0);
    }),
    { seed: 37, numRuns: 300 },
  );
});

test('those of one priority and deadline are served first come, first served', () => {
  const queue = new WaitQueue<Item>();
  const items = Array.from({ length: 1_000 }, (_, number) => ({
    priorityRank: 1,
    tenant: '',
    expiresAt: 0,
    number,
    isQueued: true,
    chargedMs: UNCHARGED,
  }));
  for (const item of items) queue.push(item);
  // So many leave that the queue sweeps them out.
  for (const item of items.slice(0, 900)) {
    item.isQueued = false;
    queue.forget(item);
  }
  const served: number[] = [];
  for (let item = queue.peek(); item !== undefined; item = queue.peek()) {
    served.push(item.number);
    queue.shift();
  }
  expect(served).toEqual(items.slice(900).map((item) => item.number));
});
