import { describe, expect, test } from 'vitest';
import { LinkLedger } from './link-ledger.ts';

/** Both ends of a link. */
function ends(): [caller: LinkLedger, replica: LinkLedger] {
  const caller = new LinkLedger();
  return [caller, new LinkLedger(caller.shared)];
}

describe('a call that was sent', () => {
  test('is begun by the replica, and then not taken back', () => {
    const [caller, replica] = ends();
    caller.sent(3, 70);
    expect(caller.isWaiting(3, 70)).toBe(true);
    expect([replica.begin(3, 70), caller.takeBack(3, 70), caller.isWaiting(3, 70)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('is taken back by its caller, and then never begun', () => {
    const [caller, replica] = ends();
    caller.sent(3, 70);
    expect([caller.takeBack(3, 70), replica.begin(3, 70), caller.takeBack(3, 70)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('is not taken for the next one in its slot, which its message may still meet there', () => {
    const [caller, replica] = ends();
    caller.sent(0, 1);
    caller.takeBack(0, 1);
    caller.sent(0, 2);
    expect([replica.begin(0, 1), replica.begin(0, 2)]).toEqual([false, true]);
  });

  test('has its own number also after 2^30 calls of a thread', () => {
    const [caller, replica] = ends();
    caller.sent(0, 2 ** 31 + 5);
    expect([replica.begin(0, 2 ** 31 + 6), replica.begin(0, 2 ** 31 + 5)]).toEqual([false, true]);
  });
});

test('slots beyond the first 256 take a segment of their own, which the other end adopts', () => {
  const [caller, replica] = ends();
  expect([caller.hasSlot(255), caller.hasSlot(256)]).toEqual([true, false]);
  replica.adopt(caller.grow());
  expect([caller.hasSlot(256), caller.hasSlot(511), caller.hasSlot(512)]).toEqual([true, true, false]);
  caller.sent(300, 9);
  expect([replica.begin(300, 9), caller.takeBack(300, 9)]).toEqual([true, false]);
  // Its neighbours are untouched.
  expect([caller.isWaiting(299, 9), caller.isWaiting(44, 9)]).toEqual([false, false]);
});
