import { expect, test } from 'vitest';
import { exponential, seeded } from '../../../sim/engine/random.ts';
import {
  inVirtualTime,
  MESSAGE_MS,
  VirtualThread,
  type VirtualTime,
} from '../../../sim/engine/virtual-time.ts';
import { FakeReplica, type TestCall } from '../../../test/support/routing/fake-replica.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { DeploymentLoad } from '../../load/deployment-load.ts';
import { RESERVED, type Reservation } from '../../load/load-table.ts';

const THREADS = 3;
const SERVICE_MS = 20;
const PLACES = 4;
const CALLS = 700;

/** A replica that several threads call. */
class SharedReplica {
  /** Of the deployment, once the first thread is there. */
  load = new DeploymentLoad();
  readonly #time: VirtualTime;
  ongoing = 0;
  /** Since when a place has been free although calls wait. */
  #idleSince = 0;
  /** The longest time for which that was so, in ms. */
  longestIdleMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  reserve(): Reservation {
    if (this.ongoing >= PLACES) return RESERVED.full;
    this.ongoing++;
    if (this.load.queued > 0 && this.ongoing === PLACES)
      this.longestIdleMs = Math.max(this.longestIdleMs, this.#time.now() - this.#idleSince);
    return RESERVED.ok;
  }

  serve(answer: () => void): void {
    const time = this.#time;
    time.at(time.now() + SERVICE_MS * (0.5 + time.random()), () => {
      if (this.ongoing === PLACES) this.#idleSince = time.now();
      this.ongoing--;
      this.load.announceFreed();
      answer();
    });
  }
}

/** The way of one thread to it. */
class Link extends FakeReplica {
  readonly #replica: SharedReplica;
  readonly #answer: (call: OutboundCall) => void;

  constructor(replica: SharedReplica, answer: (call: OutboundCall) => void) {
    super('r0', Infinity);
    this.#replica = replica;
    this.#answer = answer;
  }

  override room(): Reservation {
    return this.#replica.ongoing >= PLACES ? RESERVED.full : RESERVED.ok;
  }

  override reserve(): Reservation {
    const reservation = this.#replica.reserve();
    if (reservation === RESERVED.ok) this.ongoing++;
    return reservation;
  }

  override send(call: OutboundCall): void {
    super.send(call);
    this.#replica.serve(() => this.#answer(call));
  }
}

/** A thread, and its calls that wait, the oldest first. */
class Caller {
  readonly harness: Harness;
  readonly thread = new VirtualThread();
  readonly waiting = new Set<TestCall>();
  readonly onSent: (call: TestCall, by: Caller) => void;

  constructor(
    time: VirtualTime,
    replica: SharedReplica,
    first: Harness | undefined,
    onSent: Caller['onSent'],
  ) {
    this.onSent = onSent;
    this.harness = new Harness({}, -1, undefined, first);
    const link = new Link(replica, (call) =>
      time.inThread(this.thread, () =>
        time.at(time.now() + MESSAGE_MS, () => link.answer(call, (answered) => answered.succeeded(0))),
      ),
    );
    const send = link.send.bind(link);
    link.send = (call) => {
      this.waiting.delete(call as TestCall);
      onSent(call as TestCall, this);
      send(call);
    };
    if (first === undefined) replica.load = new DeploymentLoad(this.harness.load.shared);
    this.harness.route.add(link.endpoint);
  }

  call(): void {
    const call = this.harness.call();
    if (call.endpoint === undefined) this.waiting.add(call);
  }

  get isOver(): boolean {
    return this.harness.calls.length === CALLS && this.harness.calls.every(({ outcome }) => outcome === 'ok');
  }
}

interface Result {
  /** For how long each call had waited that was overtaken by a younger one of another thread, in ms. */
  readonly overtakenAfterMs: readonly number[];
  readonly longestWaitMs: number;
  readonly longestIdleMs: number;
}

/** Threads that call one replica at random, more than it can do. @param hold lets threads compute */
function simulate(
  seed: number,
  hold: (time: VirtualTime, callers: readonly Caller[]) => void,
): Promise<Result> {
  return inVirtualTime(seed, async (time) => {
    const callers: Caller[] = [];
    const overtakenAfterMs: number[] = [];
    const onSent = (sent: TestCall, by: Caller): void => {
      for (const caller of callers) {
        const [head] = caller.waiting;
        if (caller === by || head === undefined || sent.readyAt - head.readyAt <= 1) continue;
        overtakenAfterMs.push(time.now() - head.readyAt);
      }
    };
    const replica = new SharedReplica(time);
    for (let index = 0; index < THREADS; index++)
      callers.push(new Caller(time, replica, callers[0]?.harness, onSent));
    const random = seeded(seed);
    const gap = exponential((THREADS * SERVICE_MS) / PLACES / 1.05);
    for (const caller of callers) {
      let at = 0;
      for (let index = 0; index < CALLS; index++) {
        at += gap.draw(random);
        time.inThread(caller.thread, () => time.at(at, () => caller.call()));
      }
    }
    hold(time, callers);
    while (!callers.every(({ isOver }) => isOver)) await time.advanceTo(time.now() + 100);
    await time.advanceTo(time.now() + 500);
    const waits = callers.flatMap(({ harness }) => harness.calls.map(({ queuedMs }) => queuedMs));
    return {
      overtakenAfterMs,
      longestWaitMs: Math.max(...waits),
      longestIdleMs: replica.longestIdleMs,
    };
  });
}

test('a call at the head of its thread that has waited for 50 ms is not overtaken by younger ones of others', async () => {
  const { overtakenAfterMs, longestWaitMs } = await simulate(3, () => {});
  expect(longestWaitMs).toBeGreaterThan(150);
  expect(overtakenAfterMs.filter((ms) => ms > 51)).toEqual([]);
  // Younger than that they may be.
  expect(overtakenAfterMs.length).toBeGreaterThan(0);
});

test('a thread whose loop is held leaves free places to the others, after a tenth of the time for which its call waited', async () => {
  const blockMs = 300;
  const { longestWaitMs, longestIdleMs } = await simulate(4, (time, [blocked]) => {
    if (blocked === undefined) return;
    for (let at = 1_000; at < 8_000; at += 2 * blockMs)
      time.inThread(blocked.thread, () => time.at(at, () => void time.hold(blockMs)));
  });
  expect(longestIdleMs).toBeLessThan(0.2 * blockMs);
  // Without that the backlog would grow to 3.5 s.
  expect(longestWaitMs).toBeLessThan(1_200);
});
