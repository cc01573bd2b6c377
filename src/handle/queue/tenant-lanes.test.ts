import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UNCHARGED, type Waiting } from './tenant-lane.ts';
import { WaitQueue } from './wait-queue.ts';

interface Item extends Waiting {
  isQueued: boolean;
}

let numbers = 0;

function item(rank: number, tenant = '', expiresAt = 0): Item {
  return { priorityRank: rank, tenant, expiresAt, number: ++numbers, isQueued: true, chargedMs: UNCHARGED };
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

describe('shares of time', () => {
  /**
   * Serves the queue by so many replicas for `untilMs`. Each tenant always has calls waiting.
   * @returns ms that each tenant got
   */
  function serve(
    queue: WaitQueue<Item>,
    replicas: number,
    untilMs: number,
    callMs: Readonly<Record<string, (served: number) => number>>,
  ): Record<string, number> {
    const served: Record<string, number> = {};
    const calls: Record<string, number> = {};
    for (const tenant of Object.keys(callMs)) {
      served[tenant] = calls[tenant] = 0;
      for (let call = 0; call < 5; call++) queue.push(item(1, tenant));
    }
    const running: Array<{ call: Item; ms: number; until: number }> = [];
    for (let at = 0; at < untilMs; ) {
      while (running.length < replicas) {
        const call = take(queue) as Item;
        const { tenant } = call;
        const ms = (callMs[tenant] as (served: number) => number)((calls[tenant] as number)++);
        running.push({ call, ms, until: at + ms });
        queue.push(item(1, tenant));
      }
      running.sort((a, b) => a.until - b.until);
      const [ended] = running.splice(0, 1) as [(typeof running)[number]];
      at = ended.until;
      served[ended.call.tenant] = (served[ended.call.tenant] as number) + ended.ms;
      queue.settle(ended.call, ended.ms);
    }
    return served;
  }

  test('tenants with calls of 200 ms and of 1 ms get the same time, whatever order they come in', () => {
    for (const replicas of [1, 4]) {
      const got = serve(new WaitQueue<Item>(), replicas, 60_000, { long: () => 200, short: () => 1 });
      const share = (got['long'] as number) / ((got['long'] as number) + (got['short'] as number));
      expect(share).toBeGreaterThan(0.49);
      expect(share).toBeLessThan(0.51);
    }
  });

  test('weights are shares of time, also where the length of a call cannot be foreseen', () => {
    const queue = new WaitQueue<Item>((tenant) => (tenant === 'gold' ? 3 : 1));
    const got = serve(queue, 2, 200_000, {
      gold: (n) => (n % 10 === 0 ? 500 : 5),
      basic: (n) => 20 + (n % 7) * 10,
    });
    const share = (got['gold'] as number) / ((got['gold'] as number) + (got['basic'] as number));
    expect(share).toBeGreaterThan(0.735);
    expect(share).toBeLessThan(0.765);
  });

  test('a call that leaves without being sent is not charged', () => {
    const queue = new WaitQueue<Item>();
    for (let call = 0; call < 100; call++) for (const tenant of ['a', 'b']) queue.push(item(1, tenant));
    const sent: string[] = [];
    for (let head = queue.peek(); head !== undefined && sent.length < 40; head = queue.peek()) {
      // Every other call of one tenant turns out to be doomed.
      if (head.tenant === 'a' && head.number % 4 === 1) {
        head.isQueued = false;
        queue.forget(head);
      } else {
        take(queue);
        sent.push(head.tenant);
        queue.settle(head, 10);
      }
    }
    expect(sent.filter((tenant) => tenant === 'a')).toHaveLength(20);
  });

  test('a call that is taken back keeps its number and its charge, and pays nothing if it leaves then', () => {
    const queue = new WaitQueue<Item>();
    const [first, ...others] = [item(1, 'a'), item(1, 'a'), item(1, 'b'), item(1, 'b')] as [Item, ...Item[]];
    for (const one of [first, ...others]) queue.push(one);
    expect(take(queue)).toBe(first);
    const { chargedMs } = first;
    expect(chargedMs).toBeGreaterThan(0);
    first.isQueued = true;
    queue.push(first);
    // It is the turn of the other tenant, and the call is the first of its own again.
    expect(take(queue)?.tenant).toBe('b');
    expect(take(queue)).toBe(first);
    expect(first.chargedMs).toBe(chargedMs);
    first.isQueued = true;
    queue.push(first);
    first.isQueued = false;
    queue.forget(first);
    expect(first.chargedMs).toBe(UNCHARGED);
    expect(take(queue)?.tenant).toBe('a');
  });

  test('a stream of hours costs its tenant a minute, and tenants that pay are not forgotten', () => {
    const queue = new WaitQueue<Item>();
    for (const tenant of ['stream', 'other']) queue.push(item(1, tenant));
    const stream = take(queue) as Item;
    queue.settle(stream, 5 * 3_600_000);
    for (let call = 0; call < 5_000; call++) queue.push(item(1, 'other'));
    queue.push(item(1, 'stream'));
    let ms = 0;
    for (let call = take(queue) as Item; call.tenant === 'other'; call = take(queue) as Item) {
      queue.settle(call, 50);
      ms += 50;
    }
    expect(ms).toBeGreaterThan(59_000);
    expect(ms).toBeLessThan(61_000);
  });

  test('the tenant with the least used time for its weight is next, whenever what is settled', () => {
    const tenants = ['a', 'b', 'c', 'd'];
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant('take' as const) },
        { weight: 2, arbitrary: fc.record({ which: fc.nat(), ms: fc.integer({ min: 0, max: 500 }) }) },
      ),
      { minLength: 50, maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, (script) => {
        const queue = new WaitQueue<Item>((tenant) => 1 + tenants.indexOf(tenant));
        const used = new Map(tenants.map((tenant) => [tenant, 0]));
        const use = (tenant: string, ms: number): void => {
          used.set(tenant, (used.get(tenant) as number) + ms / (1 + tenants.indexOf(tenant)));
        };
        for (const tenant of tenants) for (let n = 0; n < 300; n++) queue.push(item(1, tenant));
        const running: Item[] = [];
        for (const step of script) {
          if (step === 'take') {
            const call = take(queue) as Item;
            expect(used.get(call.tenant)).toBeLessThan(Math.min(...used.values()) + 1e-6);
            use(call.tenant, call.chargedMs);
            running.push(call);
          } else {
            const [call] = running.splice(step.which % Math.max(1, running.length), 1);
            if (call === undefined) continue;
            use(call.tenant, step.ms - call.chargedMs);
            queue.settle(call, step.ms);
          }
        }
      }),
      { seed: 8, numRuns: 200 },
    );
  });
});
