import { describe, expect, test } from 'vitest';
import { type FakeReplica, TestCall } from '../../../test/support/routing/fake-replica.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { transfer } from '../../values/transfer.ts';

/** The call was sent to the replica, whose loop has not come to it. */
function waitsAt(replica: FakeReplica, call: TestCall): TestCall {
  expect(replica.open).toContain(call);
  replica.unbegun.add(call);
  return call;
}

function succeed(replica: FakeReplica, call: TestCall): void {
  replica.answer(call, (answered) => answered.succeeded(0));
}

describe('a call that waits at a replica whose loop is held', () => {
  test('goes to another one that has nothing to do, with its number and age, and it costs no attempt', () => {
    const harness = new Harness();
    const busy = harness.start(2);
    const [long, behind] = [harness.call(), waitsAt(busy, harness.call())];
    busy.isLoopHeld = true;
    const { number, readyAt } = behind;
    const idle = harness.start(1);
    // Something else ended here: there is a free place.
    const other = harness.call();
    succeed(idle, other);
    expect(idle.open).toEqual([behind]);
    expect([busy.open, busy.ongoing]).toEqual([[long], 1]);
    expect(behind).toMatchObject({ number, readyAt, attempts: 1 });
    succeed(idle, behind);
    expect(behind.endings).toHaveLength(1);
    expect(harness.route.counters.counts).toEqual({});
  });

  test('stays where no other one has room', () => {
    const harness = new Harness();
    const busy = harness.start(2);
    harness.call();
    const behind = waitsAt(busy, harness.call());
    busy.isLoopHeld = true;
    const full = harness.start(1);
    harness.call();
    harness.route.tend(1e9);
    expect([busy.open.includes(behind), full.open.length]).toEqual([true, 1]);
  });

  test('stays where another instance has no more than room for a call that waits there', () => {
    const harness = new Harness();
    const busy = harness.start(4);
    harness.call();
    const behind = waitsAt(busy, harness.call());
    busy.isLoopHeld = true;
    const peer = harness.start(1, 'peer');
    peer.roomToWait = 1;
    peer.ongoing = 1;
    harness.route.tend(1e9);
    expect([busy.open.includes(behind), peer.open]).toEqual([true, []]);
    peer.ongoing = 0;
    harness.route.tend(2e9);
    expect([busy.open.includes(behind), peer.open]).toEqual([false, [behind]]);
  });

  test('stays if its session belongs there, as long as that replica is not stuck', () => {
    const harness = new Harness();
    const first = harness.start(1);
    harness.call();
    const second = harness.start(3);
    const behind = [harness.call({ session: 's' }), harness.call({ session: 's' })].map((call) =>
      waitsAt(second, call),
    );
    second.isLoopHeld = true;
    succeed(first, first.open[0] as TestCall);
    harness.route.tend(1e9);
    expect([second.open, first.open]).toEqual([behind, []]);
    second.isStuck = true;
    harness.route.tend(2e9);
    expect(first.open).toEqual([behind[0]]);
  });

  test('waits with its caller once the replica is stuck', () => {
    const harness = new Harness();
    const stuck = harness.start(2);
    const running = harness.call();
    const behind = waitsAt(stuck, harness.call());
    stuck.isStuck = true;
    harness.route.tend(1e9);
    expect([stuck.open, harness.route.queued, behind.isQueued]).toEqual([[running], 1, true]);
    const next = harness.start(1);
    expect(next.open).toEqual([behind]);
  });

  test('stays there if its bytes were moved, if it is for that replica alone, or if a copy of it runs', () => {
    const harness = new Harness();
    const stuck = harness.start(4);
    harness.call();
    const [moved, pinned, hedged] = [1, 2, 3].map(() => waitsAt(stuck, harness.call())) as [
      TestCall,
      TestCall,
      TestCall,
    ];
    const bytes = new Uint8Array(8);
    transfer(bytes, [bytes.buffer]);
    moved.transfer = [bytes.buffer];
    pinned.pin();
    Object.defineProperty(hedged, 'hedge', { value: { isSent: true, stop() {} } });
    stuck.isStuck = true;
    harness.route.tend(1e9);
    expect(stuck.open).toHaveLength(4);
    expect(harness.route.queued).toBe(0);
  });

  test('makes way for a more important one, which then is the next', () => {
    const harness = new Harness();
    const replica = harness.start(2);
    const running = harness.call({ rank: 3 });
    const behind = waitsAt(replica, harness.call({ rank: 3 }));
    replica.isLoopHeld = true;
    const important = harness.call({ rank: 0 });
    expect([replica.open, harness.route.queued]).toEqual([[running], 2]);
    replica.isLoopHeld = false;
    succeed(replica, running);
    expect(replica.open).toEqual([important, behind]);
  });

  test('is not disturbed by one that is as important', () => {
    const harness = new Harness();
    const replica = harness.start(2);
    harness.call({ rank: 1 });
    const behind = waitsAt(replica, harness.call({ rank: 1 }));
    harness.call({ rank: 1 });
    expect([replica.open.includes(behind), harness.route.queued]).toEqual([true, 1]);
  });
});

test('free() counts the places that nobody waits for', () => {
  const harness = new Harness();
  const replica = harness.start(4);
  harness.call();
  replica.isLoopHeld = true;
  const waiting = [1, 2, 3].map(() => harness.call());
  expect(waiting.every(({ isQueued }) => isQueued)).toBe(true);
  expect(harness.route.free).toBe(0);
  waiting[0]?.cancel();
  expect(harness.route.free).toBe(1);
});

test('a full queue refuses no call for which there is a place, though it has to wait for a loop', () => {
  const harness = new Harness({}, 2);
  const replica = harness.start(4);
  harness.call();
  replica.isLoopHeld = true;
  // Three free places, and two in the queue.
  const calls = Array.from({ length: 6 }, () => harness.call());
  expect(calls.map(({ outcome }) => outcome)).toEqual([
    ...new Array<undefined>(5).fill(undefined),
    'SERVE_BACKPRESSURE',
  ]);
  expect(calls[5]).toBeInstanceOf(TestCall);
});
