import { WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import { activeTime } from '../../time/active-time.ts';
import type { Call, RunKeeper } from '../call/call.ts';
import { CALL_STATE, type CallState } from '../call/call-progress.ts';
import type { Outcome } from '../call/call-stats.ts';
import { UNCHARGED } from '../queue/tenant-lane.ts';
import type { WaitQueue } from '../queue/wait-queue.ts';
import { isDoomed } from './doomed.ts';
import { MethodTimes } from './method-times.ts';

/** Weight of the last call in the share of rejected calls. */
const NEWEST = 1 / 64;

/**
 * Records how long one thread's calls to a deployment run, for the run times of its methods and the charges of its
 * tenants.
 */
export class RunAccounts implements RunKeeper {
  readonly times: MethodTimes = new MethodTimes();
  /** Whether run times are recorded: once calls had to wait, or may be sent twice. */
  isLearning = false;
  /** Share of the calls with a deadline that left the queue because they were doomed. */
  #doomed = 0;
  readonly #queue: WaitQueue<Call>;

  constructor(queue: WaitQueue<Call>) {
    this.#queue = queue;
  }

  /** Whether the call at the head of the queue is no longer worth a place and must leave the queue. */
  isDoomed(call: Call, at: number): boolean {
    if (call.expiresAt === 0) return false;
    const times = this.times.of(call.method);
    const left = call.expiresAt - at;
    // Most calls have more than enough time.
    if (left > 0 && (times === undefined || left >= times.longestMs)) return false;
    const waiting = this.#queue.waitingWith(call);
    if (!isDoomed(call, at, waiting, this.#doomed > 0.5, times)) return false;
    this.#doomed += (1 - this.#doomed) * NEWEST;
    return true;
  }

  /** The call at the head of the queue is being sent. */
  began(call: Call, at: number): void {
    if (call.expiresAt === 0) return;
    this.#doomed -= this.#doomed * NEWEST;
    this.times.of(call.method)?.began(at);
  }

  /** A call was answered; a stream counts as answered with its first chunk. */
  answered(call: Call, at: number): void {
    if (this.isLearning) this.times.observe(call.method, call.ranUntil(at), at);
  }

  /** @param isMeasured false: the process was paused meanwhile, so the duration of the call says nothing */
  settled(call: Call, outcome: Outcome, before: CallState, at: number, isMeasured = true): void {
    if (outcome === 'ok' && before === CALL_STATE.sent && isMeasured) this.answered(call, at);
    // The replica may still work on a call that was given up; `ended` reports its end.
    if (outcome !== 'timeout' && outcome !== 'cancelled') this.ended(call, at);
  }

  /** A call that had been sent was given up. @param hasBegun false: its replica does not run it */
  gaveUp(call: Call, before: CallState, at: number, hasBegun: boolean): void {
    if (!hasBegun) this.#queue.refund(call);
    else if (this.isLearning && before === CALL_STATE.sent && !activeTime.spansPause(call.sentAt, at))
      this.times.observe(call.method, call.ranUntil(at), at, false);
  }

  /** A replica is done with a call, which may have been given up before. */
  ended(call: Call, at: number): void {
    if (call.chargedMs === UNCHARGED) return;
    // A WebSocket holds a place but uses hardly any of the replica's time.
    const isOpenEnded = call.method === WEBSOCKET_METHOD_NAME;
    const isAsCharged = isOpenEnded || activeTime.spansPause(call.sentAt, at);
    this.#queue.settle(call, isAsCharged ? call.chargedMs : call.ranUntil(at));
  }
}
