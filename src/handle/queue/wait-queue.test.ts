import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COLD } from './sub-queues.ts';
import { UNCHARGED } from './tenant-lane.ts';
import { WaitQueue } from './wait-queue.ts';

interface Item {
  readonly priorityRank: number;
  readonly tenant: string;
  readonly expiresAt: number;
  readonly number: number;
  isQueued: boolean;
  chargedMs: number;
  readonly modelKey?: number;
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

const KEYS = [COLD, 7, 8, 9];

const asideSteps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        priorityRank: fc.nat(2),
        expiresAt: fc.nat(3),
        modelKey: fc.constantFrom(7, 8, 9),
      }),
    },
    { weight: 4, arbitrary: fc.constant('shift' as const) },
    { weight: 5, arbitrary: fc.constant('set aside' as const) },
    { weight: 2, arbitrary: fc.record({ shows: fc.constantFrom(...KEYS), all: fc.boolean() }) },
    { weight: 2, arbitrary: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) },
  ),
  { maxLength: 400 },
);

test('calls that are set aside stop no others, and come back in their order', () => {
  fc.assert(
    fc.property(asideSteps, fc.boolean(), (script, hasCold) => {
      const counted = new Set<Item>();
      const queue = new WaitQueue<Item>(undefined, {
        setAside: (item) => void counted.add(item),
        putBack: (item) => void counted.delete(item),
      });
      let waiting: Item[] = [];
      let number = 0;
      const visible = () => inOrder(waiting.filter((item) => !counted.has(item)));
      for (const step of script) {
        const head = queue.peek();
        expect(head).toBe(visible()[0]);
        if (step === 'shift') {
          if (head === undefined) continue;
          queue.shift();
          head.isQueued = false;
          waiting = waiting.filter((item) => item !== head);
        } else if (step === 'set aside') {
          queue.setAside(hasCold && number % 2 === 0 ? COLD : (head?.modelKey ?? COLD));
        } else if (typeof step === 'number') {
          const leaver = waiting[Math.floor(step * waiting.length)];
          if (leaver === undefined) continue;
          leaver.isQueued = false;
          queue.forget(leaver);
          waiting = waiting.filter((item) => item !== leaver);
        } else if ('shows' in step) {
          if (step.all) queue.showAll(step.shows);
          else for (const subQueue of queue.subQueues) if (subQueue.key === step.shows) queue.show(subQueue);
          queue.showCold(step.shows);
        } else {
          const item = { ...step, tenant: '', number: number++, isQueued: true, chargedMs: UNCHARGED };
          waiting.push(item);
          queue.push(item);
        }
        const aside = waiting.filter((item) => counted.has(item));
        expect([queue.size, queue.aside, counted.size]).toEqual([waiting.length, aside.length, aside.length]);
        for (const modelKey of [7, 8, 9]) {
          const own = waiting.filter((item) => item.modelKey === modelKey && item.priorityRank <= 1);
          expect(queue.models.count(modelKey, 1)).toBe(own.length);
          expect(queue.models.first(modelKey, 1)).toBe(own.sort((a, b) => a.number - b.number)[0]);
        }
      }
      expect(queue.drain()).toEqual(inOrder(waiting));
      expect([queue.size, queue.aside, counted.size]).toEqual([0, 0, 0]);
      expect(KEYS.map((key) => queue.models.count(key, 3))).toEqual([0, 0, 0, 0]);
    }),
    { seed: 9, numRuns: 300 },
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

test('calls that are set aside still count for their tenant when one has to give way', () => {
  const queue = new WaitQueue<Item>();
  const items = (tenant: string, numbers: readonly number[], modelKey?: number) =>
    numbers.map((number) => ({
      priorityRank: 1,
      tenant,
      expiresAt: 0,
      number,
      isQueued: true,
      chargedMs: UNCHARGED,
      ...(modelKey !== undefined && { modelKey }),
    }));
  const newcomer = {
    priorityRank: 1,
    tenant: 'small',
    expiresAt: 0,
    number: 1_000,
    isQueued: true,
    chargedMs: UNCHARGED,
  };
  const aside = items('flood', [1, 2, 3], 7);
  for (const item of aside) queue.push(item);
  for (let count = 0; count < 3; count++) queue.setAside(7);
  expect([queue.peek(), queue.victimFor(newcomer)]).toEqual([undefined, aside[2]]);
  // Tenants that come and go do not make it forget that one.
  for (const other of Array.from({ length: 200 }, (_, n) => items(`t${n}`, [n + 10])).flat()) {
    queue.push(other);
    expect(queue.peek()).toBe(other);
    queue.shift();
    other.isQueued = false;
  }
  expect(queue.victimFor(newcomer)).toBe(aside[2]);
  const [front, back] = items('flood', [0, 4]) as [Item, Item];
  queue.push(front);
  expect(queue.victimFor(newcomer)).toBe(aside[2]);
  queue.push(back);
  expect(queue.victimFor(newcomer)).toBe(back);
  // An urgent newcomer takes the place of any less important call.
  expect(queue.victimFor({ ...newcomer, priorityRank: 0 })).toBe(back);
});
