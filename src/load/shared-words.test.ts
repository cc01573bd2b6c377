import { describe, expect, test } from 'vitest';
import { LinkLedger } from '../channel/link-ledger.ts';
import { Endpoint } from '../handle/endpoints/endpoint.ts';
import { DeploymentLoad, QueueLedger } from './deployment-load.ts';
import { EjectionRecord } from './ejection-record.ts';
import { MAX_ONGOING_LIMIT, REPLICA_STATE, RESERVED, ReplicaLoad } from './load-table.ts';
import { ModelTable } from './model-table.ts';
import type { QueueHeads } from './queue-heads.ts';
import { SecondCounts } from './second-counts.ts';

const EDGE = 2 ** 31;

/** The words of a table. */
function wordsOf({ shared }: { shared: SharedArrayBuffer }): Int32Array {
  return new Int32Array(shared);
}

/** The views of two threads on the heads of their queues. */
function twoThreads(): [QueueHeads, QueueHeads] {
  const load = new DeploymentLoad();
  const other = new DeploymentLoad(load.shared);
  for (const one of [load, other]) one.join(new QueueLedger());
  return [load.heads, other.heads];
}

function ready(): ReplicaLoad {
  const load = new ReplicaLoad();
  load.limit = MAX_ONGOING_LIMIT;
  load.setOpen(2 ** 31 - 1, 0);
  load.setState(REPLICA_STATE.ready);
  return load;
}

describe('at the edge of its bits, of a replica', () => {
  test('the ongoing calls leave the state alone', () => {
    const [load, ledger] = [ready(), new LinkLedger()];
    const words = wordsOf(load);
    words[0] = (words[0] as number) + MAX_ONGOING_LIMIT - 1;
    expect([load.ongoing, load.reserve(ledger, 0), load.ongoing]).toEqual([
      MAX_ONGOING_LIMIT - 1,
      RESERVED.ok,
      MAX_ONGOING_LIMIT,
    ]);
    expect([load.reserve(ledger, 0), load.reserveBeyondLimit(ledger)]).toEqual([
      RESERVED.full,
      RESERVED.full,
    ]);
    expect([load.state, load.ongoing, ledger.reserved]).toEqual([REPLICA_STATE.ready, MAX_ONGOING_LIMIT, 1]);
    load.setState(REPLICA_STATE.draining);
    expect(load.release(MAX_ONGOING_LIMIT)).toBe(true);
    expect([load.state, load.ongoing]).toEqual([REPLICA_STATE.draining, 0]);
  });

  test('the calls that it served are counted on', () => {
    const load = new ReplicaLoad();
    load.countServed(EDGE - 2);
    const channel = {
      get served() {
        return load.served;
      },
    };
    const endpoint = new Endpoint('r', 'i', 'v', channel as never);
    load.countServed(5);
    expect([endpoint.takeServed(), endpoint.takeServed()]).toEqual([5, 0]);
  });

  test.each([EDGE - 1, EDGE, 2 * EDGE, 2 * EDGE + 3, 5 * EDGE])('the time of its tick is %d', (at) => {
    const load = new ReplicaLoad();
    load.tick(at);
    expect((at + 7 - load.lastTick) | 0).toBe(7);
  });

  test.each([EDGE, 2 * EDGE, 4 * EDGE])('a deadline at %d is none of none', (at) => {
    const load = new ReplicaLoad();
    load.hold(1, at);
    expect(load.holdingDeadline).not.toBe(0);
    expect(Math.abs((at - load.holdingDeadline) | 0)).toBeLessThan(2);
    load.holdingDeadline = Infinity;
    expect(load.holdingDeadline).toBe(0);
    load.letGo(true);
    load.latestDeadline = at;
    expect(load.holdingDeadline).not.toBe(0);
    load.latestDeadline = 0;
    expect(load.holdingDeadline).toBe(0);
  });

  test.each([EDGE / 16 - 1, EDGE / 8, EDGE])('its loop is held from %d ms on', (at) => {
    const load = new ReplicaLoad();
    load.hold(at, 0);
    expect([load.isHeld(at + 0.5), load.isHeld(at + 2), load.isHeld(at + 1_000)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('a holding time of a month is the longest', () => {
    const load = new ReplicaLoad();
    load.meanHoldingMs = 1e12;
    expect(load.meanHoldingMs).toBeGreaterThan(2_000_000);
  });

  test.each([EDGE - 2, EDGE + 3, 2 * EDGE + 1])(
    'the places that a caller left after %d calls are given back',
    (begun) => {
      const [load, ledger] = [ready(), new LinkLedger()];
      ledger.words[0] = begun;
      for (let unused = 0; unused < 3; unused++) load.reserve(ledger, 0);
      expect(ledger.unused(begun)).toBe(3);
    },
  );

  test('its models say when the stalest was used, and how long a load takes at most', () => {
    const models = new ModelTable(new SharedArrayBuffer(256), 0);
    models.stalestAt = 3 * EDGE + 5;
    expect((3 * EDGE + 12 - models.stalestAt) | 0).toBe(7);
    models.loadMs = 1e12;
    expect(models.loadMs).toBeGreaterThan(100_000_000);
  });

  test('what it was left out for is no negative number', () => {
    const record = new EjectionRecord();
    const evidence = { calls: 3 * EDGE, failures: EDGE, siblingCalls: EDGE, siblingFailures: 0 };
    record.leaveOut(1, 5 * EDGE + 3, evidence);
    expect(record.evidence).toEqual({
      calls: EDGE - 1,
      failures: EDGE - 1,
      siblingCalls: EDGE - 1,
      siblingFailures: 0,
    });
    expect((5 * EDGE + 10 - record.until) | 0).toBe(7);
  });
});

describe('at the edge of its bits, of a deployment', () => {
  test('the largest queue is one of 2³¹ − 1 calls', () => {
    const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
    load.maxQueued = EDGE - 1;
    const words = wordsOf(load);
    words[0] = EDGE - 2;
    const places = (): number => 0;
    expect([load.enqueue(0, ledger, false, places), load.enqueue(0, ledger, false, places)]).toEqual([
      true,
      false,
    ]);
    expect(load.queued).toBe(EDGE - 1);
    load.dequeue(0, ledger);
    expect(load.queued).toBe(EDGE - 2);
  });

  test('a freed place wakes those who wait, whatever number it has', async () => {
    const load = new DeploymentLoad();
    const words = wordsOf(load);
    words[2] = EDGE - 1;
    load.arm(new QueueLedger());
    const seen = load.freedSequence;
    const woken = load.waitFreed(seen);
    load.announceFreed();
    await woken;
    expect(load.freedSequence).toBe(-EDGE);
    // At once, since there was one.
    await load.waitFreed(seen);
  });

  test.each([EDGE - 30, 2 * EDGE - 30])('a call that waits since %d', (since) => {
    const [theirs, ours] = twoThreads();
    theirs.publish({ priorityRank: 1, readyAt: since }, EDGE - 1);
    const call = { priorityRank: 1, readyAt: since + 40 };
    expect(ours.waitBefore(call, since + 60, -EDGE)).toBe(60);
    expect(ours.waitBefore({ ...call, readyAt: since - 40 }, since + 60, -EDGE)).toBe(0);
  });

  test.each([EDGE - 5, 2 * EDGE - 5])('a waiter that was seen at %d', (at) => {
    const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
    load.enqueue(0, ledger, true, () => 0);
    load.announceWaiting(0, at);
    expect([load.hasWaitingAbove(1, at + 10), load.hasWaitingAbove(1, at + 1_000)]).toEqual([true, false]);
  });

  test('a second counts a million events at most', () => {
    const counts = new SecondCounts();
    const most = 2 ** 20 - 1;
    // The turn of this second has the highest bit of the word.
    const second = 16 * 4_000;
    counts.add(most - 1, second);
    counts.add(1, second);
    counts.add(1, second);
    expect([counts.sum(second, 1), counts.addWithin(Infinity, second, 1)]).toEqual([most, false]);
    counts.add(2 * most, second + 1);
    expect(counts.sum(second + 1, 2)).toBe(2 * most);
  });
});
