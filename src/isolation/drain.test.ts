import { expect, test } from 'vitest';
import { REPLICA_STATE, ReplicaLoad } from '../load/load-table.ts';
import type { OpenCalls } from '../replica/control.ts';
import { now } from '../time/clock.ts';
import { callsEnded, type Draining } from './drain.ts';

/** A replica with one call, whose end the test decides. */
class OneCall implements Draining {
  readonly load = new ReplicaLoad();
  readonly #ledger = { words: new Int32Array(1) };
  asked = 0;
  answer: Promise<OpenCalls> = new Promise(() => {});

  constructor() {
    this.load.limit = 1;
    this.load.setState(REPLICA_STATE.ready);
    this.load.reserve(this.#ledger, now());
    this.load.setState(REPLICA_STATE.draining);
  }

  openCalls(): Promise<OpenCalls> {
    this.asked++;
    return this.answer;
  }

  callsOver(): Promise<void> {
    return this.load.idle();
  }

  /** Its caller gives the place back without having sent the call. */
  unreserve(): void {
    this.load.unreserve(this.#ledger);
  }
}

const PROMISED = { requestTimeoutMs: 60_000, streamTimeoutMs: 0 };

test.each<[string, (replica: OneCall) => void]>([
  ['the replica answers the last call', (replica) => replica.load.release(1)],
  ['a caller gives the last place back', (replica) => replica.unreserve()],
  ['the replica dies', (replica) => replica.load.setState(REPLICA_STATE.dead)],
])('a drain ends as soon as %s', async (_name, end) => {
  const replica = new OneCall();
  const ended = callsEnded(replica, { graceMs: 60_000, promised: PROMISED });
  end(replica);
  await ended;
  expect(replica.asked).toBe(1);
});

test('a drain without a promise ends with its grace', async () => {
  const replica = new OneCall();
  await callsEnded(replica, { graceMs: 10 });
  expect([replica.load.ongoing, replica.asked]).toEqual([1, 0]);
});

test('a replica that tells when its last deadline passes is waited for until then', async () => {
  const replica = new OneCall();
  replica.answer = Promise.resolve({ deadline: now() - 1_000, hasStreams: false });
  await callsEnded(replica, { graceMs: 10, promised: PROMISED });
  // At the start, and once more before it was given up.
  expect([replica.load.ongoing, replica.asked]).toEqual([1, 2]);
});
