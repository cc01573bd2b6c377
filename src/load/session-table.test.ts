import { describe, expect, test } from 'vitest';
import { SESSION_BUCKETS, SessionTable } from './session-table.ts';

const LAST = SESSION_BUCKETS - 1;

describe('the table of the sessions', () => {
  test('remembers the work of the last ten seconds', () => {
    const table = new SessionTable();
    table.advance(100_000);
    table.add(0, 100);
    table.add(LAST, 7);
    expect([table.calls, table.work(0), table.work(1), table.work(LAST)]).toEqual([2, 100, 0, 7]);
    table.advance(110_000);
    table.add(0, 10);
    expect([table.calls, table.work(0), table.work(LAST)]).toEqual([3, 110, 7]);
    table.advance(115_000);
    expect([table.calls, table.work(0), table.work(LAST)]).toEqual([2, 60, 3.5]);
    table.advance(120_000);
    expect([table.calls, table.work(0), table.work(LAST)]).toEqual([1, 10, 0]);
    table.advance(160_000);
    expect([table.calls, table.work(0), table.work(LAST)]).toEqual([0, 0, 0]);
  });

  test('is the same for all threads, and only one of them empties what is old', () => {
    const one = new SessionTable();
    const other = new SessionTable(one.shared);
    for (const table of [one, other]) table.advance(100_000);
    one.add(5, 30);
    other.add(5, 12);
    one.move(5, -7);
    expect([other.work(5), other.place(5), other.place(6)]).toEqual([42, -7, 0]);
    for (const table of [one, other]) {
      table.advance(120_000);
      table.add(5, 1);
    }
    expect(one.work(5)).toBe(2);
    expect([one.claimBalancing(120_000, 500), other.claimBalancing(120_000, 500)]).toEqual([true, false]);
    expect([other.claimBalancing(120_499, 500), other.claimBalancing(120_500, 500)]).toEqual([false, true]);
  });

  test('counts on beyond 2³¹, and when the clock wraps', () => {
    const table = new SessionTable();
    table.advance(100_000);
    for (let call = 0; call < 3_000; call++) table.add(1, 1_000_000);
    expect(table.work(1)).toBe(3_000_000_000);
    const edge = 2 ** 31;
    expect(table.claimBalancing(edge - 100, 500)).toBe(true);
    expect([table.claimBalancing(edge + 399, 500), table.claimBalancing(edge + 400, 500)]).toEqual([
      false,
      true,
    ]);
  });
});
