import { describe, expect, test } from 'vitest';
import { ReplicaTally } from '../../load/replica-tally.ts';
import { ejectionMs, OutlierEjection } from './outlier-ejection.ts';

interface Member {
  readonly tally: ReplicaTally;
}

/** What caller threads see of replicas that a test plays. */
class Bench {
  readonly members: Member[] = [];
  readonly threads: OutlierEjection<Member>[] = [];
  at = 1_000;
  /** Length of all pauses of the process, in ms. */
  pausedMs = 0;

  constructor(replicas: number, threads = 1) {
    for (let thread = 0; thread < threads; thread++) this.threads.push(new OutlierEjection<Member>(this));
    for (let replica = 0; replica < replicas; replica++) this.add();
  }

  add(): Member {
    const tally = new ReplicaTally();
    this.members.push({ tally });
    // Each thread has an endpoint of its own.
    for (const thread of this.threads) thread.add(this.#endpoint(thread, tally));
    return { tally };
  }

  remove(replica: number): void {
    for (const thread of this.threads) thread.remove(this.endpoint(replica, thread));
    this.members.splice(replica, 1);
  }

  readonly #endpoints = new Map<OutlierEjection<Member>, Member[]>();

  #endpoint(thread: OutlierEjection<Member>, tally: ReplicaTally): Member {
    const endpoint = { tally };
    this.#endpoints.set(thread, [...(this.#endpoints.get(thread) ?? []), endpoint]);
    return endpoint;
  }

  endpoint(
    replica: number,
    thread: OutlierEjection<Member> = this.threads[0] as OutlierEjection<Member>,
  ): Member {
    const { tally } = this.members[replica] as Member;
    return this.#endpoints.get(thread)?.find((one) => one.tally === tally) as Member;
  }

  /** Calls end at a replica. */
  served(replica: number, calls: number, failures = 0): void {
    for (let call = 0; call < calls; call++) this.members[replica]?.tally.record(call < failures, undefined);
  }

  /** Time passes, and every thread looks. @returns which replicas are left out */
  look(afterMs = 50): number[] {
    this.at += afterMs;
    for (const thread of this.threads) thread.look(this.at);
    return this.out();
  }

  out(thread: OutlierEjection<Member> = this.threads[0] as OutlierEjection<Member>): number[] {
    return this.members.flatMap((_, replica) =>
      thread.isOut(this.endpoint(replica, thread)) ? [replica] : [],
    );
  }

  /** The next call tries a replica that is left out. @returns whether there is one to try */
  probe(replica: number, isFailure: boolean): boolean {
    const thread = this.threads.find(({ probe }) => probe !== undefined);
    if (thread === undefined) return false;
    expect(thread.probe).toBe(this.endpoint(replica, thread));
    thread.probeSent();
    this.served(replica, 1, Number(isFailure));
    return true;
  }
}

describe('a replica is left out', () => {
  test('that fails always, after five failures', () => {
    const bench = new Bench(4);
    for (const replica of [1, 2, 3]) bench.served(replica, 20);
    bench.served(0, 4, 4);
    expect(bench.look()).toEqual([]);
    bench.served(0, 1, 1);
    expect(bench.look()).toEqual([0]);
    expect(bench.members[0]?.tally.ejection.evidence).toEqual({
      calls: 5,
      failures: 5,
      siblingCalls: 60,
      siblingFailures: 0,
    });
  });

  test.each([
    ['a quarter of its calls fail, and none of the others', 25, 0, true],
    ['a fifth of them is too little', 20, 0, false],
    ['three times as many as of the others and 20 points more', 60, 11, true],
    ['five times as many, but not 20 points beyond three times', 50, 11, false],
    ['as many as of the others', 50, 50, false],
    ['all of them do, and nearly all of the others', 100, 95, false],
  ])('if %s', (_what, failures, siblingFailures, isOut) => {
    const bench = new Bench(4);
    bench.served(0, 100, failures);
    for (const replica of [1, 2, 3]) bench.served(replica, 100, siblingFailures);
    expect(bench.look()).toEqual(isOut ? [0] : []);
  });

  test('not while nothing is known of the others', () => {
    const bench = new Bench(2);
    bench.served(0, 100, 100);
    expect(bench.look()).toEqual([]);
    bench.served(1, 10);
    expect(bench.look()).toEqual([0]);
  });

  test('two that fail do not excuse each other, and half of them go on whatever they do', () => {
    const bench = new Bench(5);
    for (const replica of [0, 1]) bench.served(replica, 100, 100);
    for (const replica of [2, 3, 4]) bench.served(replica, 100);
    expect(bench.look()).toEqual([0, 1]);
    bench.served(2, 100, 100);
    expect(bench.look()).toEqual([0, 1]);
    // Two of four may be out, one of three, none of one.
    bench.remove(2);
    expect(bench.look()).toEqual([0, 1]);
    bench.remove(3);
    expect(bench.look()).toHaveLength(1);
    bench.remove(2);
    bench.remove(1);
    expect(bench.look()).toEqual([]);
  });

  test('that begins to fail, after some of its calls, however well it served before', () => {
    const bench = new Bench(4);
    for (const replica of [0, 1, 2, 3]) bench.served(replica, 10_000);
    expect(bench.look()).toEqual([]);
    for (const replica of [1, 2, 3]) bench.served(replica, 15);
    bench.served(0, 15, 15);
    expect(bench.look()).toEqual([0]);
  });

  test('failures of ten to twenty seconds ago are forgotten', () => {
    const bench = new Bench(2);
    bench.served(0, 100, 100);
    bench.look();
    bench.look(20_000);
    bench.served(0, 10);
    bench.served(1, 10);
    expect(bench.look()).toEqual([]);
    expect(bench.threads[0]?.costFactor(bench.endpoint(0))).toBe(1);
  });
});

describe('after a pause of the whole process', () => {
  /** Two replicas of which one had all calls whose deadlines passed during a pause. */
  function paused(ms: number): Bench {
    const bench = new Bench(2);
    for (const replica of [0, 1]) bench.served(replica, 20);
    bench.look();
    bench.pausedMs += ms;
    bench.served(0, 8, 8);
    bench.served(1, 20);
    return bench;
  }

  test('its failures leave no replica out, nor those that follow for as long as the pause lasted', () => {
    const bench = paused(5_000);
    expect(bench.look(5_000)).toEqual([]);
    expect(bench.threads[0]?.costFactor(bench.endpoint(0))).toBe(1);
    bench.served(0, 8, 8);
    expect(bench.look(4_000)).toEqual([]);
    expect(bench.look(2_000)).toEqual([]);
    bench.served(0, 8, 8);
    bench.served(1, 20);
    expect(bench.look()).toEqual([0]);
  });

  test.each([
    [600, 1_000],
    [3_600_000, 10_000],
  ])('of %i ms, failures count again %i ms later', (ms, excusedMs) => {
    const bench = paused(ms);
    expect(bench.look(ms)).toEqual([]);
    bench.served(0, 8, 8);
    expect(bench.look(excusedMs - 1)).toEqual([]);
    bench.served(0, 8, 8);
    bench.served(1, 20);
    expect(bench.look(1)).toEqual([0]);
  });
});

describe('a call decides', () => {
  /** One of four that fails always is out since this moment. */
  function failing(threads = 1): Bench {
    const bench = new Bench(4, threads);
    bench.served(0, 10, 10);
    for (const replica of [1, 2, 3]) bench.served(replica, 100);
    expect(bench.look()).toEqual([0]);
    return bench;
  }

  test('after 1, 2, 4, 8, 16 and then each 30 s, while it fails', () => {
    const bench = failing();
    for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      expect(bench.look(ms - 1)).toEqual([0]);
      expect(bench.probe(0, true)).toBe(false);
      bench.look(1);
      expect(bench.probe(0, true)).toBe(true);
      expect(bench.look(0)).toEqual([0]);
      expect(bench.probe(0, true)).toBe(false);
    }
    expect([1, 5, 6, 9].map(ejectionMs)).toEqual([1_000, 16_000, 30_000, 30_000]);
  });

  test('a success puts the replica back, with nothing against it', () => {
    const bench = failing();
    bench.look(1_000);
    bench.probe(0, false);
    expect(bench.look()).toEqual([]);
    expect(bench.threads[0]?.costFactor(bench.endpoint(0))).toBe(1);
    bench.served(0, 4, 4);
    expect(bench.look()).toEqual([]);
  });

  test('who fails again soon is left out for twice as long, who does so later for a second', () => {
    for (const [later, ms] of [
      [1_000, 2_000],
      [40_000, 1_000],
    ] as const) {
      const bench = failing();
      bench.look(1_000);
      bench.probe(0, false);
      expect(bench.look()).toEqual([]);
      bench.look(later);
      for (const replica of [1, 2, 3]) bench.served(replica, 100);
      bench.served(0, 10, 10);
      expect(bench.look()).toEqual([0]);
      expect(bench.probe(0, true)).toBe(false);
      bench.look(ms - 1);
      expect(bench.probe(0, true)).toBe(false);
      bench.look(1);
      expect(bench.probe(0, true)).toBe(true);
    }
  });

  test('a call that does not end is followed by another one after the same time', () => {
    const bench = failing();
    bench.look(1_000);
    bench.threads[0]?.probeSent();
    bench.look(999);
    expect(bench.threads[0]?.probe).toBeUndefined();
    bench.look(1);
    expect(bench.threads[0]?.probe).toBe(bench.endpoint(0));
  });

  test('once the others fail as often it is not the replica any more', () => {
    const bench = failing();
    for (const replica of [1, 2, 3]) bench.served(replica, 300, 300);
    expect(bench.look()).toEqual([]);
  });

  test('all threads leave it out as soon as one does, one of them tries it, and all have it back', () => {
    const bench = failing(3);
    expect(bench.threads.map((thread) => bench.out(thread))).toEqual([[0], [0], [0]]);
    bench.look(1_000);
    expect(bench.threads.filter(({ probe }) => probe !== undefined)).toHaveLength(1);
    bench.probe(0, false);
    bench.look();
    bench.look();
    expect(bench.threads.map((thread) => bench.out(thread))).toEqual([[], [], []]);
  });

  test('a thread that ended while its call was under way does not keep the replica out', () => {
    const bench = failing(2);
    bench.look(1_000);
    const dead = bench.threads.findIndex(({ probe }) => probe !== undefined);
    bench.threads.splice(dead, 1);
    bench.look(999);
    expect(bench.probe(0, false)).toBe(false);
    bench.look(1);
    expect(bench.probe(0, false)).toBe(true);
    expect(bench.look()).toEqual([]);
  });
});

test('each failure beyond what is usual makes a replica dearer, long before it is left out', () => {
  const bench = new Bench(3);
  bench.served(0, 10, 1);
  bench.served(1, 1_000, 1);
  bench.served(2, 1_000, 1);
  bench.look();
  const factors = [0, 1, 2].map((replica) => bench.threads[0]?.costFactor(bench.endpoint(replica)));
  expect(factors).toEqual([expect.closeTo(1.32, 1), 1, 1]);
});
