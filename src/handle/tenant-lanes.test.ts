import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Waiting, WaitQueue } from './wait-queue.ts';

interface Item extends Waiting {
  isQueued: boolean;
}

let numbers = 0;

function item(rank: number, tenant = '', expiresAt = 0): Item {
  return { priorityRank: rank, tenant, expiresAt, number: ++numbers, isQueued: true };
}

function take(queue: WaitQueue<Item>): Item | undefined {
  const head = queue.peek();
  if (head === undefined) return undefined;
  queue.shift();
  head.isQueued = false;
  return head;
}

function takeAll(queue: WaitQueue<Item>, most = Infinity): Item[] {
  const items: Item[] = [];
  while (items.length < most) {
    const head = take(queue);
    if (head === undefined) break;
    items.push(head);
  }
  return items;
}

describe('wait queue of several tenants', () => {
  test('without tenants: priority, then deadline, then first come first served', () => {
    const items = fc.array(
      fc.record({
        rank: fc.integer({ min: 0, max: 3 }),
        expiresAt: fc.constantFrom(0, 5, 10),
        leaves: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(items, (script) => {
        const queue = new WaitQueue<Item>();
        const all = script.map(({ rank, expiresAt }) => item(rank, '', expiresAt));
        for (const one of all) queue.push(one);
        for (const [index, { leaves }] of script.entries()) {
          const one = all[index] as Item;
          if (!leaves) continue;
          one.isQueued = false;
          queue.forget(one);
        }
        const waiting = all.filter(({ isQueued }) => isQueued);
        expect(queue.size).toBe(waiting.length);
        expect([...queue].sort((a, b) => a.number - b.number)).toEqual(waiting);
        const expected = waiting.toSorted(
          (a, b) =>
            a.priorityRank - b.priorityRank ||
            (a.expiresAt || 1e9) - (b.expiresAt || 1e9) ||
            a.number - b.number,
        );
        expect(takeAll(queue)).toEqual(expected);
        expect(queue.size).toBe(0);
      }),
    );
  });

  test('every item comes out exactly once, whatever tenants push, take and leave in between', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ type: fc.constant('push'), rank: fc.integer({ min: 0, max: 3 }), tenant: fc.nat(5) }),
        fc.record({ type: fc.constant('take') }),
        fc.record({ type: fc.constant('leave'), which: fc.nat() }),
      ),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, (script) => {
        const queue = new WaitQueue<Item>((tenant) => 1 + Number(tenant));
        const waiting = new Set<Item>();
        for (const step of script) {
          if ('rank' in step) {
            const one = item(step.rank, String(step.tenant));
            queue.push(one);
            waiting.add(one);
          } else if ('which' in step) {
            const one = [...waiting][step.which % Math.max(1, waiting.size)];
            if (one === undefined) continue;
            one.isQueued = false;
            queue.forget(one);
            waiting.delete(one);
          } else {
            const one = take(queue);
            expect(one === undefined).toBe(waiting.size === 0);
            if (one === undefined) continue;
            expect(waiting.delete(one)).toBe(true);
            for (const other of waiting) expect(other.priorityRank).toBeGreaterThanOrEqual(one.priorityRank);
          }
          expect(queue.size).toBe(waiting.size);
        }
        expect(new Set(queue.drain())).toEqual(waiting);
      }),
    );
  });

  test("a tenant's flood leaves the others their shares", () => {
    const queue = new WaitQueue<Item>((tenant) => (tenant === 'gold' ? 3 : 1));
    for (let call = 0; call < 1_000; call++) queue.push(item(1, 'flood'));
    for (let call = 0; call < 100; call++) queue.push(item(1, 'gold'));
    for (let call = 0; call < 100; call++) queue.push(item(1, 'small'));
    const first = takeAll(queue, 100).map(({ tenant }) => tenant);
    const share = (tenant: string): number => first.filter((other) => other === tenant).length;
    expect([share('flood'), share('gold'), share('small')]).toEqual([20, 60, 20]);
  });

  test('a tenant that asks for one at a time gets no more than its share, nor does one that was idle', () => {
    const queue = new WaitQueue<Item>((tenant) => (tenant === 'heavy' ? 9 : 1));
    for (let call = 0; call < 1_000; call++) queue.push(item(1, 'heavy'));
    queue.push(item(1, 'light'));
    let light = 0;
    for (let turn = 0; turn < 500; turn++) {
      if (take(queue)?.tenant !== 'light') continue;
      light++;
      queue.push(item(1, 'light'));
    }
    expect(light).toBeGreaterThanOrEqual(49);
    expect(light).toBeLessThanOrEqual(51);
    for (let call = 0; call < 100; call++) queue.push(item(1, 'idle'));
    const next = takeAll(queue, 11).filter(({ tenant }) => tenant === 'idle');
    expect(next.length).toBeLessThanOrEqual(2);
  });

  test('a full queue gives way to the more important, then to the tenant with less', () => {
    const queue = new WaitQueue<Item>();
    const [first, second] = [item(3), item(3)];
    const important = item(1);
    for (const one of [first, second, important]) queue.push(one);
    expect(queue.victimFor(item(2))).toBe(second);
    expect(queue.victimFor(item(3))).toBeUndefined();
    expect(queue.victimFor(item(0))).toBe(second);

    const shared = new WaitQueue<Item>();
    const flood = [item(1, 'flood'), item(1, 'flood'), item(1, 'flood')];
    for (const one of [...flood, item(1, 'small')]) shared.push(one);
    expect(shared.victimFor(item(1, 'flood'))).toBeUndefined();
    expect(shared.victimFor(item(1, 'small'))).toBe(flood[2]);
    expect(shared.victimFor(item(1, 'new'))).toBe(flood[2]);
    expect(shared.victimFor(item(2, 'new'))).toBeUndefined();
  });

  test('tenants that come and go without end are forgotten', () => {
    const queue = new WaitQueue<Item>();
    for (let call = 0; call < 20_000; call++) {
      queue.push(item(1, `tenant-${call}`));
      if (call >= 10) take(queue);
    }
    expect(takeAll(queue)).toHaveLength(10);
  });
});
