import type { DeploymentLoad } from '../load/deployment-load.ts';
import { HoldingMeter } from '../load/holding-meter.ts';
import type { ReplicaLoad } from '../load/load-table.ts';
import { now } from '../time/clock.ts';
import { type CallStarter, type EventLoop, HOLD_MS, loop } from '../time/loop.ts';
import { AdaptiveSpin } from './adaptive-spin.ts';

/** A call that arrived from any caller thread. */
export interface ArrivedCall {
  /** Deadline, a time of `clock.now()`; 0 = none. */
  readonly deadline: number;
  /**
   * Begins the call; false if its caller has taken the call back.
   * @param at now; of quick calls the time of their message
   * @param isTimed whether the run time of the call is measured
   */
  begin(at: number, isTimed: boolean): boolean;
}

/** Decides when the calls that arrive over the channels of a replica begin, and keeps account of their places. */
export interface Intake {
  /** The event loop by whose turns answers are posted. */
  readonly loop: EventLoop;
  /** Number of places of quick calls that are freed at a time. */
  readonly placesAtOnce: number;
  /** A message arrived. @returns whether its frames may be handled now; if not, hand them to `defer` */
  received(): boolean;
  /** Defers the handling of frames. */
  defer(handle: () => void): void;
  /** Begins an arrived call, now or at its turn. */
  offer(call: ArrivedCall): void;
  /** The answer of a call became a stream. */
  streams(): void;
  /** The last frame of a call is on its way. */
  ended(): void;
  /** Records that calls begin and end. */
  moved(at: number): void;
  /** The answers of this many calls leave, which frees their places. */
  answered(calls: number): void;
  /** Gives places back. */
  release(places: number): void;
}

/**
 * Begins the calls that arrive at a replica, of all its callers.
 *
 * Quick calls begin as they come, one clock reading per message. Calls that hold the loop begin one at a time, and the
 * loop turns before the next call: results leave, cancellations and health checks get through, and calls that have not
 * begun can still be taken back. After each turn the replica publishes for how many calls it is open: the calls that it
 * has begun, plus as many as may wait here only briefly. All others wait with their callers, where priority, deadline
 * and tenant decide.
 */
export class CallIntake implements CallStarter, Intake {
  /** The event loop on which the calls run. */
  readonly loop: EventLoop;
  readonly #load: ReplicaLoad;
  readonly #deploymentLoad: DeploymentLoad;
  readonly #onDrained: () => void;
  readonly #batchRoom: () => number;
  readonly #meter: HoldingMeter;
  readonly #pending: ArrivedCall[] = [];
  /** Frames that arrived while the loop was held, in order. */
  readonly #deferred: Array<() => void> = [];
  /** Number of calls that have begun and not ended. */
  #begun = 0;
  /** Number of calls that ended since the last turn. */
  #ended = 0;
  /** Latest deadline of the begun calls. */
  #latestDeadline = 0;
  #isQuick = false;
  /** When the last message arrived. */
  #receivedAt = 0;
  #placesAtOnce = 1;
  readonly #spin = new AdaptiveSpin();

  /**
   * @param onDrained the replica is draining, and the last place was freed
   * @param batchRoom calls that may wait for a batch while another one runs; 0 = the replica has no batched methods
   * @param eventLoop the event loop on which the calls run
   */
  constructor(
    load: ReplicaLoad,
    deploymentLoad: DeploymentLoad,
    onDrained: () => void,
    batchRoom: () => number,
    eventLoop: EventLoop = loop,
    meter: HoldingMeter = new HoldingMeter(),
  ) {
    this.loop = eventLoop;
    this.#meter = meter;
    this.#load = load;
    this.#deploymentLoad = deploymentLoad;
    this.#onDrained = onDrained;
    this.#batchRoom = batchRoom;
    eventLoop.postsAtOnce = !meter.holding.isQuick;
    this.#isQuick = meter.holding.isQuick;
    eventLoop.serve(this);
    this.#publish(false);
  }

  /** A message arrived. @returns whether its frames may be handled now; if not, hand them to `defer` */
  received(): boolean {
    const at = now();
    this.#receivedAt = at;
    if (this.loop.enter(at)) this.#load.hold(at, this.#latestDeadline);
    return this.#deferred.length === 0 && !this.loop.isHeld(at);
  }

  /** Defers the handling of frames until the loop has turned. */
  defer(handle: () => void): void {
    this.#deferred.push(handle);
    this.loop.schedule();
  }

  /** Begins an arrived call, now or at its turn. */
  offer(call: ArrivedCall): void {
    if (this.#isQuick && this.#pending.length === 0) {
      this.#begin(call, this.#receivedAt, false);
      return;
    }
    this.#pending.push(call);
    this.loop.schedule();
  }

  /** The answer of a call became a stream, to which its deadline no longer applies. */
  streams(): void {
    this.#latestDeadline = Infinity;
    this.#load.latestDeadline = Infinity;
    this.#load.holdingDeadline = Infinity;
  }

  /**
   * Number of places of quick calls that are freed at a time: an eighth, so that few places stand empty for a round
   * trip.
   */
  get placesAtOnce(): number {
    return this.#placesAtOnce;
  }

  /** The last frame of a call is on its way. */
  ended(): void {
    this.#begun--;
    this.#ended++;
  }

  /** Records that calls begin and end: the replica is not stuck, even if its loop has not turned. */
  moved(at: number): void {
    this.#load.tick(at);
  }

  /** The answers of this many calls leave, which frees their places. */
  answered(calls: number): void {
    this.#load.countServed(calls);
    this.release(calls);
  }

  /** Gives places back. */
  release(places: number): void {
    if (this.#load.release(places)) this.#onDrained();
    // Where calls hold the loop, no call may come before the loop has turned.
    if (this.#isQuick) {
      this.#deploymentLoad.announceFreed();
    } else {
      this.#deploymentLoad.countFreed();
      this.loop.schedule();
    }
  }

  get hasNext(): boolean {
    return this.#pending.length > 0 || this.#deferred.length > 0;
  }

  get isExpectingCall(): boolean {
    // Places that are reserved by calls on their way, or about to be reserved.
    if (this.#load.ongoing > this.#begun + this.#pending.length) return true;
    return this.#load.hasRoom && this.#deploymentLoad.queued > 0;
  }

  beginNext(at: number): void {
    const handle = this.#deferred.shift();
    if (handle !== undefined) {
      this.resuming(at);
      handle();
      return;
    }
    this.#beginPending();
  }

  readonly #beginPending = (): void => {
    let hasBegun = false;
    while (!hasBegun && this.#pending.length > 0) {
      const at = now();
      if (this.loop.isHeld(at)) break;
      const call = this.#pending.shift() as ArrivedCall;
      this.#load.hold(at, call.deadline);
      this.#load.tick(at);
      hasBegun = this.#begin(call, at, true);
    }
    if (this.#pending.length === 0) return;
    this.loop.schedule();
    // Members of one batch begin in one turn, each after the microtasks of the member before it.
    const isTogether = this.#isQuick || this.#batchRoom() > 0;
    if (isTogether && hasBegun) queueMicrotask(() => process.nextTick(this.#beginPending));
  };

  resuming(at: number): void {
    this.#load.hold(at, this.#latestDeadline);
  }

  turned(at: number, heldSince: number): void {
    if (this.#spin.isSpinning && heldSince === 0 && this.#ended === 0) {
      if (this.#spin.idled()) this.loop.schedule();
      return;
    }
    const wasHeld = !this.#isQuick || (heldSince !== 0 && at - heldSince >= HOLD_MS);
    this.#load.tick(at);
    this.#load.letGo(wasHeld);
    this.#meter.turned(at, heldSince, this.#begun, this.#ended);
    if (this.#spin.worked(this.#isQuick ? this.#ended : 0)) this.loop.schedule();
    this.#ended = 0;
    if (this.#begun === 0) this.#latestDeadline = 0;
    this.#load.latestDeadline = this.#latestDeadline;
    const { holding } = this.#meter;
    this.#isQuick = holding.isQuick;
    this.loop.postsAtOnce = !this.#isQuick;
    this.loop.maxAnswers = holding.answersPerMessage;
    this.#placesAtOnce = Math.max(1, this.#load.limit >> 3);
    this.#load.meanHoldingMs = holding.meanMs ?? 0;
    this.#publish(false);
    // Callers that found the loop held wait for this announcement.
    if (wasHeld && this.#load.hasRoom) this.#deploymentLoad.announceFreed();
  }

  #begin(call: ArrivedCall, at: number, isTimed: boolean): boolean {
    const deadline = call.deadline === 0 ? Infinity : call.deadline;
    if (deadline > this.#latestDeadline) {
      this.#latestDeadline = deadline;
      // Which quick call holds the loop is not published: a write per call would take the cache line from the callers.
      if (!isTimed) this.#load.holdingDeadline = deadline;
    }
    this.#begun++;
    if (isTimed) this.#publish(true);
    if (call.begin(at, isTimed)) return true;
    this.#begun--;
    return false;
  }

  #publish(isHeld: boolean): void {
    const batchRoom = this.#batchRoom();
    const begun = this.#begun;
    const ahead = Math.max(this.#meter.holding.ahead(isHeld), batchRoom);
    const whileHeld = batchRoom === 0 ? 0 : begun + batchRoom;
    if (this.#load.setOpen(begun + ahead, whileHeld)) this.#deploymentLoad.announceFreed();
  }
}
