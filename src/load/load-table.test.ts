import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { LinkLedger } from '../channel/link-ledger.ts';
import { DeploymentLoad, QueueLedger } from './deployment-load.ts';
import { MAX_ONGOING_LIMIT, REPLICA_STATE, RESERVED, ReplicaLoad } from './load-table.ts';

function ready(limit: number): ReplicaLoad {
  const load = new ReplicaLoad();
  load.limit = limit;
  load.setOpen(limit, 0);
  load.setState(REPLICA_STATE.ready);
  return load;
}

/** Runs `work` for ever, until V8 ends it at some point of its own choice: as `worker.terminate()` does. */
function cutShort(work: () => void): void {
  const forever = (): never => {
    for (;;) work();
  };
  expect(() => runInNewContext('forever()', { forever }, { timeout: 1 })).toThrow('timed out');
}

describe('a replica', () => {
  test('has as many places as its limit says, in the state ready only', () => {
    const [load, ledger] = [ready(2), new LinkLedger()];
    const other = new ReplicaLoad(load.shared);
    expect([load.reserve(ledger, 0), other.reserve(ledger, 0), load.reserve(ledger, 0)]).toEqual([
      RESERVED.ok,
      RESERVED.ok,
      RESERVED.full,
    ]);
    expect(load.reserveBeyondLimit(ledger)).toBe(RESERVED.ok);
    expect([other.ongoing, ledger.reserved]).toEqual([3, 3]);
    for (const state of ['starting', 'stuck', 'draining', 'dead'] as const) {
      load.setState(REPLICA_STATE[state]);
      expect([load.reserve(ledger, 0), load.reserveBeyondLimit(ledger)]).toEqual([
        RESERVED.gone,
        RESERVED.gone,
      ]);
      expect([load.state, load.ongoing]).toEqual([REPLICA_STATE[state], 3]);
    }
    expect(load.setState(REPLICA_STATE.ready)).toBe(false);
    expect(load.state).toBe(REPLICA_STATE.dead);
  });

  test('may have its limit changed while it works', () => {
    const [load, ledger] = [ready(1), new LinkLedger()];
    load.setOpen(1_000, 0);
    load.reserve(ledger, 0);
    load.limit = 2;
    expect(load.reserve(ledger, 0)).toBe(RESERVED.ok);
    load.limit = 1;
    expect(load.reserve(ledger, 0)).toBe(RESERVED.full);
    expect(load.ongoing).toBe(2);
    load.limit = MAX_ONGOING_LIMIT;
    expect(load.reserve(ledger, 0)).toBe(RESERVED.ok);
  });

  test('is drained by the release of its last place, and by no other', () => {
    const [load, ledger] = [ready(3), new LinkLedger()];
    for (let place = 0; place < 3; place++) load.reserve(ledger, 0);
    expect(load.release(1)).toBe(false);
    load.setState(REPLICA_STATE.draining);
    expect([load.release(1), load.release(1), load.ongoing]).toEqual([false, true, 0]);
    expect(ready(1).release(0)).toBe(false);
  });

  test('tells beforehand what a reservation would be answered with', () => {
    const [load, ledger] = [ready(1), new LinkLedger()];
    const answers = () => {
      const room = load.room(0);
      const reserved = load.reserve(ledger, 0);
      if (reserved === RESERVED.ok) load.unreserve(ledger);
      return [room, reserved];
    };
    expect(answers()).toEqual([RESERVED.ok, RESERVED.ok]);
    load.reserve(ledger, 0);
    expect(answers()).toEqual([RESERVED.full, RESERVED.full]);
    load.setState(REPLICA_STATE.stuck);
    expect(answers()).toEqual([RESERVED.gone, RESERVED.gone]);
  });

  test('tells its tick and what it served', () => {
    const load = new ReplicaLoad();
    load.tick(1_234.9);
    load.countServed(1);
    expect([load.lastTick, load.served]).toEqual([1_234, 1]);
    // 25 days on: the difference of two ticks still is one.
    load.tick(2 ** 31 + 5);
    expect((2 ** 31 + 8 - load.lastTick) | 0).toBe(3);
  });
});

describe('a replica that computes', () => {
  test('takes no more calls than it is open for, whatever its limit', () => {
    const [load, ledger] = [new ReplicaLoad(), new LinkLedger()];
    load.limit = 16;
    load.setState(REPLICA_STATE.ready);
    // A new one takes one call, until more is known.
    expect([load.reserve(ledger, 0), load.reserve(ledger, 0)]).toEqual([RESERVED.ok, RESERVED.full]);
    expect([load.setOpen(2, 0), load.hasRoom, load.reserve(ledger, 0)]).toEqual([true, true, RESERVED.ok]);
    expect([load.setOpen(1, 0), load.setOpen(1, 0), load.hasRoom]).toEqual([false, false, false]);
  });

  test('takes none while its loop is held, but for those that fill the next batch', () => {
    const [load, ledger] = [ready(16), new LinkLedger()];
    load.hold(1_000, 0);
    expect([load.isHeld(1_001), load.reserve(ledger, 1_001)]).toEqual([false, RESERVED.ok]);
    expect([load.isHeld(1_002), load.reserve(ledger, 1_002)]).toEqual([true, RESERVED.full]);
    load.setOpen(16, 2);
    expect([load.reserve(ledger, 1_002), load.reserve(ledger, 1_002)]).toEqual([RESERVED.ok, RESERVED.full]);
    load.letGo(true);
    expect([load.isHeld(1_002), load.reserve(ledger, 1_002)]).toEqual([false, RESERVED.ok]);
  });

  test('knows how long its loop is held also when the time wraps', () => {
    const [load, at] = [ready(1), 2 ** 31 / 16 - 0.5];
    load.hold(at, 0);
    expect([load.isHeld(at + 0.9), load.isHeld(at + 2)]).toEqual([false, true]);
  });

  test('says until when the call that holds its loop has, and if that is not known, all of them', () => {
    const load = ready(1);
    load.latestDeadline = 9_000;
    expect(load.holdingDeadline).toBe(9_000);
    load.hold(1_000, 5_000);
    expect(load.holdingDeadline).toBe(5_000);
    load.holdingDeadline = 0;
    expect(load.holdingDeadline).toBe(0);
    load.letGo(true);
    expect(load.holdingDeadline).toBe(9_000);
    load.latestDeadline = Infinity;
    expect(load.holdingDeadline).toBe(0);
  });
});

describe('the queue of a deployment', () => {
  test('has as many places as it may, over all threads; a call that was accepted before always gets one', () => {
    const [load, mine, theirs] = [new DeploymentLoad(), new QueueLedger(), new QueueLedger()];
    load.maxQueued = 2;
    expect(load.enqueue(1, mine, false, () => 0)).toBe(true);
    expect(new DeploymentLoad(load.shared).enqueue(0, theirs, false, () => 0)).toBe(true);
    expect(load.enqueue(1, mine, false, () => 0)).toBe(false);
    expect(load.enqueue(1, mine, true, () => 0)).toBe(true);
    expect(load.queued).toBe(3);
    load.dequeue(1, mine);
    load.maxQueued = 0;
    expect(load.enqueue(1, mine, false, () => 0)).toBe(false);
    expect(load.enqueue(1, mine, false, () => 2)).toBe(false);
    // Free places: the calls that wait for them are not queued yet.
    expect(load.enqueue(1, mine, false, () => 3)).toBe(true);
    load.dequeue(1, mine);
    load.maxQueued = -1;
    expect(load.enqueue(1, mine, false, () => 0)).toBe(true);
    mine.giveBack(load);
    expect(load.queued).toBe(1);
    theirs.giveBack(load);
    theirs.giveBack(load);
    expect(load.queued).toBe(0);
  });

  test('tells whether a more important call waits, as long as its thread says so', () => {
    const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
    expect(load.hasWaitingAbove(3, 1_000)).toBe(false);
    load.enqueue(2, ledger, true, () => 0);
    load.announceWaiting(2, 1_000);
    expect([1, 2, 3].map((priority) => load.hasWaitingAbove(priority, 1_000))).toEqual([false, false, true]);
    expect([load.hasWaitingAbove(3, 1_249), load.hasWaitingAbove(3, 1_250)]).toEqual([true, false]);
    load.announceWaiting(2, 1_250);
    expect(load.hasWaitingAbove(3, 1_250)).toBe(true);
    load.dequeue(2, ledger);
    expect(load.hasWaitingAbove(3, 1_250)).toBe(false);
  });
});

describe('the end of a queue', () => {
  const isResolved = async (promise: Promise<unknown>): Promise<boolean> =>
    (await Promise.race([promise.then(() => 'resolved'), new Promise((done) => setImmediate(done))])) ===
    'resolved';

  test('wakes whoever waits for it, whether the last call is sent, given up or lost with its thread', async () => {
    for (const end of [
      (load: DeploymentLoad, ledger: QueueLedger) => load.dequeue(1, ledger),
      (load: DeploymentLoad, ledger: QueueLedger) => load.giveBack(ledger),
      (load: DeploymentLoad) => load.endEmptiedWait(),
    ]) {
      const load = new DeploymentLoad();
      const [one, other] = [new QueueLedger(), new QueueLedger()];
      load.maxQueued = -1;
      load.enqueue(1, one, false, () => 0);
      load.enqueue(1, other, false, () => 0);
      const emptied = load.waitEmptied();
      load.dequeue(1, one);
      expect(await isResolved(emptied)).toBe(false);
      end(load, other);
      await emptied;
    }
  });

  test('is known at once where no call waits', async () => {
    await new DeploymentLoad().waitEmptied();
  });
});

describe('a freed place', () => {
  test('wakes all who wait, not only one: that one may not need it', async () => {
    const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
    const seen = load.freedSequence;
    const waits = [0, 1, 2].map(() => {
      load.arm(ledger);
      return load.waitFreed(seen);
    });
    load.announceFreed();
    expect(await Promise.all(waits)).toEqual(['ok', 'ok', 'ok']);
    for (let wait = 0; wait < 3; wait++) load.disarm(ledger);
    load.announceFreed();
    expect(load.freedSequence).toBe(seen + 1);
  });

  test('between the look at the loads and the wait is not missed', async () => {
    const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
    const seen = load.freedSequence;
    load.arm(ledger);
    load.announceFreed();
    expect(await load.waitFreed(seen)).toBe('not-equal');
  });
});

describe('a thread that is ended at any point leaves nothing behind that its ledger does not tell', () => {
  const [load, deployment] = [ready(2), new DeploymentLoad()];
  deployment.maxQueued = -1;

  test.each<[string, (link: LinkLedger, queue: QueueLedger) => void]>([
    ['reserving', (link) => load.reserve(link, 0) === RESERVED.ok && load.unreserve(link)],
    [
      'reserving for a broadcast',
      (link) => load.reserveBeyondLimit(link) === RESERVED.ok && load.unreserve(link),
    ],
    [
      'queueing',
      (_link, queue) => deployment.enqueue(2, queue, false, () => 0) && deployment.dequeue(2, queue),
    ],
    [
      'waiting',
      (_link, queue) => {
        deployment.arm(queue);
        deployment.disarm(queue);
      },
    ],
  ])('while %s', (_what, work) => {
    const [link, queue] = [new LinkLedger(), new QueueLedger()];
    for (let time = 0; time < 50; time++) {
      cutShort(() => work(link, queue));
      load.release(link.reserved);
      new Int32Array(link.shared).fill(0);
      queue.giveBack(deployment);
      expect(load.ongoing).toBe(0);
      expect([...new Int32Array(deployment.shared)]).toEqual(unused);
    }
  });

  const unused = [...new Int32Array(deployment.shared)];
});
