import { setImmediate as immediate } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LoadCallerData } from '../../test/fixtures/threads/load-caller.ts';
import { LinkLedger } from '../channel/link-ledger.ts';
import { DeploymentLoad, QueueLedger } from './deployment-load.ts';
import { REPLICA_STATE, ReplicaLoad } from './load-table.ts';

/** `AsyncDisposableStack`, which Node 22 lacks. */
class Disposables {
  readonly #all: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#all.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((resource) => resource[Symbol.asyncDispose]()));
  }
}

const entry = new URL('../../test/fixtures/threads/load-caller.ts', import.meta.url);

type Gate = PromiseWithResolvers<void>;

/** One caller thread, and what a replica and the host know of it. */
class Caller implements AsyncDisposable {
  readonly ledger = new LinkLedger();
  readonly queue = new QueueLedger();
  isDone = false;
  /** Calls that arrived. */
  admitted = 0;
  isKilled = false;
  readonly here: Promise<void>;
  readonly done: Promise<void>;
  /** After every message that it sent. */
  readonly closed: Promise<void>;
  readonly #worker: Worker;

  constructor(replica: Replica, calls: number, onCall: (port: MessagePort) => void) {
    const { port1, port2 } = new MessageChannel();
    const [here, done, closed] = [1, 2, 3].map(() => Promise.withResolvers<void>()) as [Gate, Gate, Gate];
    this.here = here.promise;
    this.done = done.promise.then(() => {
      this.isDone = true;
    });
    this.closed = closed.promise;
    port1.on('message', (message: string) => {
      if (message === 'call') onCall(port1);
      else if (message === 'done') done.resolve();
      else here.resolve();
    });
    port1.on('close', closed.resolve);
    const workerData: LoadCallerData = {
      port: port2,
      load: replica.load.shared,
      deployment: replica.deployment.shared,
      ledger: this.ledger.shared,
      queue: this.queue.shared,
      gate: replica.gate.buffer as SharedArrayBuffer,
      calls,
    };
    this.#worker = new Worker(entry, { workerData, transferList: [port2] });
  }

  /** Ends the thread wherever it is. */
  async kill(): Promise<void> {
    if (this.isKilled) return;
    this.isKilled = true;
    await this.#worker.terminate();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** The replica's and the host's part. */
class Replica {
  readonly load = new ReplicaLoad();
  readonly deployment = new DeploymentLoad();
  readonly gate = new Int32Array(new SharedArrayBuffer(4));

  constructor(limit: number, maxQueued: number) {
    this.load.limit = limit;
    this.load.setOpen(limit, 0);
    this.load.setState(REPLICA_STATE.ready);
    this.deployment.maxQueued = maxQueued;
  }

  open(): void {
    Atomics.store(this.gate, 0, 1);
    Atomics.notify(this.gate, 0);
  }

  release(places: number): void {
    this.load.release(places);
    this.deployment.announceFreed();
  }

  /** What the thread of a dead caller held. */
  bury({ ledger, queue, admitted }: Caller): void {
    this.release(ledger.reserved - admitted);
    queue.giveBack(this.deployment);
    this.deployment.announceFreed();
  }

  expectAllGivenBack(): void {
    expect(this.load.ongoing).toBe(0);
    expect(this.load.state).toBe(REPLICA_STATE.ready);
    expect(this.deployment.queued).toBe(0);
    // Nor is anybody counted by priority, or as waiting for a freed place.
    for (let priority = 0; priority < 4; priority++) this.deployment.announceWaiting(priority, 1);
    expect(this.deployment.hasWaitingAbove(4, 1)).toBe(false);
    const seen = this.deployment.freedSequence;
    this.deployment.announceFreed();
    expect(this.deployment.freedSequence).toBe(seen);
  }
}

const CALLS = 120;

const scenario = fc.record({
  limit: fc.integer({ min: 1, max: 5 }),
  maxQueued: fc.constantFrom(-1, 1, 3),
  /** For each caller: after how many calls of all of them it is killed; beyond the last one: not at all. */
  kills: fc.array(fc.nat(4 * CALLS), { minLength: 3, maxLength: 4 }),
  /** How many places the replica frees per turn. */
  pace: fc.integer({ min: 1, max: 4 }),
});

test('never more than the limit, none lost, and nobody left waiting, while callers are killed', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ limit, maxQueued, kills, pace }) => {
      const replica = new Replica(limit, maxQueued);
      let calls = 0;
      let inHand = 0;
      let most = 0;
      const burials: Promise<void>[] = [];
      await using callers = new Disposables();
      const alive = kills.map(() => {
        const caller: Caller = new Caller(replica, CALLS, () => {
          calls++;
          caller.admitted++;
          most = Math.max(most, ++inHand);
          const due = alive.filter((other, index) => !other.isKilled && (kills[index] as number) < calls);
          for (const victim of due) burials.push(victim.kill().then(() => replica.bury(victim)));
        });
        return callers.use(caller);
      });
      await Promise.all(alive.map(({ here }) => here));
      replica.open();
      // Frees what it was given until all callers are through or dead. A lost wake-up would keep this going for ever.
      const isOver = (): boolean => inHand === 0 && alive.every(({ isDone, isKilled }) => isDone || isKilled);
      while (!isOver()) {
        const places = Math.min(pace, inHand);
        inHand -= places;
        if (places > 0) replica.release(places);
        expect(replica.load.ongoing).toBeLessThanOrEqual(limit);
        if (maxQueued !== -1) expect(replica.deployment.queued).toBeLessThanOrEqual(maxQueued);
        await immediate();
      }
      expect(most).toBeLessThanOrEqual(limit);
      const survivors = alive.filter(({ isKilled }) => !isKilled);
      expect(calls).toBeGreaterThanOrEqual(survivors.length * CALLS);
      await Promise.all([...burials, ...survivors.map((caller) => caller.kill())]);
      // Messages of the dead may have come until now.
      if (inHand > 0) replica.release(inHand);
      for (const caller of survivors) replica.bury(caller);
      replica.expectAllGivenBack();
    }),
    { numRuns: 6, endOnFailure: true },
  );
});

test('a caller may be killed in the middle of its bookkeeping', async () => {
  const replica = new Replica(2, -1);
  for (let round = 0; round < 4; round++) {
    Atomics.store(replica.gate, 0, 0);
    await using stack = new Disposables();
    const callers = [0, 1].map(() => stack.use(new Caller(replica, 0, () => {})));
    await Promise.all(callers.map(({ here }) => here));
    replica.open();
    // While the code is still interpreted, and when it is optimized.
    if (round === 0) await immediate();
    else await Promise.all(callers.map(({ done }) => done));
    await Promise.all(callers.map((caller) => caller.kill()));
    for (const caller of callers) replica.bury(caller);
    replica.expectAllGivenBack();
  }
});
