import { describe, expect, test } from 'vitest';
import { Turns } from '../../test/support/turns.ts';
import { DeploymentLoad } from '../load/deployment-load.ts';
import { HoldingMeter } from '../load/holding-meter.ts';
import { REPLICA_STATE, RESERVED, ReplicaLoad } from '../load/load-table.ts';
import { EventLoop } from '../time/loop.ts';
import { type ArrivedCall, CallIntake } from './call-intake.ts';
import { LinkLedger } from './link-ledger.ts';

/** A replica whose calls hold its loop for as long as a test says. */
class Replica implements Disposable {
  readonly turns = new Turns();
  readonly load = new ReplicaLoad();
  readonly loop = new EventLoop();
  readonly intake: CallIntake;
  /** What began, and when. */
  readonly begun: [string, number][] = [];
  drained = 0;
  readonly #ledger = new LinkLedger();

  constructor(knownMs?: number, batchRoom = 0) {
    const meter = new HoldingMeter(() => this.turns.at);
    if (knownMs !== undefined) meter.holding.observe(knownMs, 1);
    this.load.limit = 16;
    this.load.setState(REPLICA_STATE.ready);
    this.intake = new CallIntake(
      this.load,
      new DeploymentLoad(),
      () => this.drained++,
      () => batchRoom,
      this.loop,
      meter,
    );
  }

  /** Calls that may come now. */
  reserve(): number {
    for (let taken = 0; ; taken++)
      if (this.load.reserve(this.#ledger, this.turns.at) !== RESERVED.ok) return taken;
  }

  /** A call that computes for so long arrives, and is answered in the same turn. */
  computing(name: string, ms: number, deadline = 0): ArrivedCall {
    return {
      deadline,
      begin: () => {
        this.begun.push([name, this.turns.at]);
        this.turns.at += ms;
        this.intake.ended();
        this.loop.collect({ flush: () => this.intake.answered(1) });
        return true;
      },
    };
  }

  /** One that waits for something until the test ends it. */
  waiting(name: string, deadline = 0): ArrivedCall {
    return {
      deadline,
      begin: () => {
        this.begun.push([name, this.turns.at]);
        return true;
      },
    };
  }

  offer(...calls: ArrivedCall[]): void {
    expect(this.intake.received()).toBe(true);
    for (const call of calls) {
      this.load.reserveBeyondLimit(this.#ledger);
      this.intake.offer(call);
    }
  }

  [Symbol.dispose](): void {
    this.turns[Symbol.dispose]();
  }
}

describe('calls that hold the loop', () => {
  test('begin one at a time, and the loop turns between two of them', async () => {
    using replica = new Replica(20);
    replica.offer(...['a', 'b', 'c'].map((name) => replica.computing(name, 20)));
    expect(replica.begun).toEqual([]);
    for (const count of [1, 2, 3]) {
      await replica.turns.turn();
      expect(replica.begun).toHaveLength(count);
    }
  });

  test('leave their place before the next one begins', async () => {
    using replica = new Replica(2);
    const places: number[] = [];
    const look = (call: ArrivedCall): ArrivedCall => ({
      deadline: 0,
      begin: (at, isTimed) => {
        places.push(replica.load.ongoing);
        return call.begin(at, isTimed);
      },
    });
    replica.offer(...['a', 'b', 'c'].map((name) => look(replica.computing(name, 2))));
    await replica.turns.settle();
    expect([...places, replica.load.ongoing]).toEqual([3, 2, 1, 0]);
  });

  test('let nobody in while the loop is held, and one once it turns', async () => {
    using replica = new Replica(20);
    let duringTheCall = -1;
    const call = replica.computing('a', 20);
    replica.offer({
      ...call,
      begin: (at, isTimed) => {
        duringTheCall = replica.load.open;
        return call.begin(at, isTimed);
      },
    });
    await replica.turns.settle();
    expect([duringTheCall, replica.load.open, replica.reserve()]).toEqual([1, 1, 1]);
  });

  test('that were taken back cost no turn', async () => {
    using replica = new Replica(20);
    const gone: ArrivedCall = { deadline: 0, begin: () => false };
    replica.offer(gone, gone, replica.computing('c', 20));
    await replica.turns.turn();
    expect(replica.begun.map(([name]) => name)).toEqual(['c']);
    await replica.turns.settle();
    expect(replica.load.open).toBe(1);
  });
});

test('quick calls begin as they come, without a turn and in order', async () => {
  using replica = new Replica(0.05);
  replica.offer(...['a', 'b', 'c'].map((name) => replica.computing(name, 0.05)));
  expect(replica.begun.map(([name]) => name)).toEqual(['a', 'b', 'c']);
  await replica.turns.settle();
  // A millisecond of such calls may wait.
  expect(replica.load.open).toBeGreaterThan(15);
});

test('a loop of many quick calls stays awake for a few turns, and then sleeps', async () => {
  using replica = new Replica(0.01);
  replica.offer(...Array.from({ length: 8 }, (_, index) => replica.computing(`${index}`, 0.01)));
  for (let turn = 0; turn <= 8; turn++) {
    expect(replica.turns.isPending).toBe(true);
    await replica.turns.turn();
  }
  expect(replica.turns.isPending).toBe(false);
  replica.offer(replica.computing('alone', 0.01));
  await replica.turns.turn();
  expect(replica.turns.isPending).toBe(false);
});

test('frames that come while the loop is held wait for a turn, in order', async () => {
  using replica = new Replica(0.05);
  const handled: string[] = [];
  replica.offer(replica.computing('long', 5));
  for (const name of ['first', 'second']) {
    expect(replica.intake.received()).toBe(false);
    replica.intake.defer(() => handled.push(name));
  }
  await replica.turns.turn();
  expect(handled).toEqual(['first']);
  // What comes now must not overtake the second.
  expect(replica.intake.received()).toBe(false);
  await replica.turns.settle();
  expect(handled).toEqual(['first', 'second']);
  expect(replica.intake.received()).toBe(true);
});

describe('methods that wait', () => {
  test('are limited by the limit alone: each one that begins lets another one in', async () => {
    using replica = new Replica(0.05);
    for (let count = 0; count < 16; count++) replica.offer(replica.waiting(`${count}`));
    await replica.turns.settle();
    expect(replica.begun).toHaveLength(16);
    expect(replica.load.open).toBeGreaterThan(32);
  });

  test('and compute afterwards are known by the time for which the loop was busy', async () => {
    using replica = new Replica(0.05);
    replica.offer(replica.waiting('a'));
    await replica.turns.turn();
    // The loop of this test is busy whenever its clock moves.
    replica.turns.at += 50;
    replica.intake.ended();
    replica.loop.collect({ flush: () => {} });
    await replica.turns.settle();
    expect(replica.load.meanHoldingMs).toBeGreaterThan(4);
    expect(replica.load.open).toBe(1);
  });
});

test('members of a batch are let in while another batch runs, and begin together', async () => {
  using replica = new Replica(5, 4);
  expect(replica.load.open).toBe(4);
  replica.offer(...['a', 'b', 'c', 'd', 'e'].map((name) => replica.waiting(name)));
  await replica.turns.turn();
  expect(replica.begun.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
  await replica.turns.settle();
  replica.load.hold(replica.turns.at, 0);
  replica.turns.at += 50;
  // Five that have begun, and the next four.
  expect([replica.load.isHeld(replica.turns.at), replica.reserve()]).toEqual([true, 4]);
});

describe('who holds the loop', () => {
  test('is known by deadline while a call computes, else it is the latest of those that have begun', async () => {
    using replica = new Replica(20);
    const seen: number[] = [];
    const look = (call: ArrivedCall): ArrivedCall => ({
      deadline: call.deadline,
      begin: (at, isTimed) => {
        seen.push(replica.load.holdingDeadline);
        return call.begin(at, isTimed);
      },
    });
    replica.offer(look(replica.waiting('late', 9_000)), look(replica.computing('soon', 20, 5_000)));
    await replica.turns.settle();
    expect(seen).toEqual([9_000, 5_000]);
    expect(replica.load.holdingDeadline).toBe(9_000);
    replica.intake.ended();
    replica.loop.collect({ flush: () => {} });
    await replica.turns.settle();
    expect(replica.load.holdingDeadline).toBe(0);
  });

  test('has no deadline once its answer is a stream, nor if one of them has none', async () => {
    using replica = new Replica(20);
    replica.offer(replica.waiting('stream', 9_000));
    await replica.turns.settle();
    replica.intake.streams();
    expect(replica.load.holdingDeadline).toBe(0);
    using other = new Replica(20);
    other.offer(other.waiting('a', 9_000), other.waiting('endless'));
    await other.turns.settle();
    expect(other.load.holdingDeadline).toBe(0);
  });
});

test('a replica that drains says so with its last place', async () => {
  using replica = new Replica(20);
  replica.offer(replica.computing('a', 20));
  replica.load.setState(REPLICA_STATE.draining);
  await replica.turns.settle();
  expect([replica.drained, replica.load.ongoing]).toEqual([1, 0]);
});
