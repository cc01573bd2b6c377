import type { ArrivedCall, Intake } from '../../../channel/call-intake.ts';
import type { DeploymentLoad } from '../../../load/deployment-load.ts';
import { QUICK_MS } from '../../../load/holding-time.ts';
import type { ReplicaLoad } from '../../../load/load-table.ts';
import type { CallTally } from '../../../load/replica-tally.ts';
import { now } from '../../../time/clock.ts';
import { type EventLoop, loop } from '../../../time/loop.ts';
import type { ChildState } from './child-messages.ts';

/** Mean holding time, in ms, from which no call waits in the child for its event loop. */
const LONG_MS = 4;

/**
 * Passes calls on to a child as its event loop takes them: as many as the child reports that it is open for. The others
 * wait here, where their callers can still take them back, or with their callers. Keeps the replica's load table as the
 * event loop of the child would.
 */
export class GatewayIntake implements Intake {
  readonly loop: EventLoop = loop;
  readonly #load: ReplicaLoad;
  readonly #deploymentLoad: DeploymentLoad;
  readonly #tally: CallTally;
  readonly #pending: ArrivedCall[] = [];
  /** Number of calls that the child has not answered. */
  #begun = 0;
  /** Number of calls that were sent so far. */
  #sent = 0;
  #latestDeadline = 0;
  /** Deadline of the call that holds the child's loop, if it is known. */
  #holdingDeadline = 0;
  /** The child's last state. */
  #arrived = 0;
  #room = 1;
  #roomWhileHeld = 0;
  #meanMs = 0;
  #beats = 0;
  #calls = 0;
  #failures = 0;

  constructor(load: ReplicaLoad, deploymentLoad: DeploymentLoad, tally: CallTally) {
    this.#load = load;
    this.#deploymentLoad = deploymentLoad;
    this.#tally = tally;
    this.#publish();
  }

  get placesAtOnce(): number {
    return Math.max(1, this.#load.limit >> 3);
  }

  /** The event loop of this thread is never held. */
  received(): boolean {
    return true;
  }

  defer(handle: () => void): void {
    handle();
  }

  offer(call: ArrivedCall): void {
    if (this.#pending.length > 0 || this.#room <= this.#unseen) this.#pending.push(call);
    else this.#begin(call, now());
  }

  streams(): void {
    this.#latestDeadline = Infinity;
    this.#load.latestDeadline = Infinity;
    this.#load.holdingDeadline = Infinity;
    this.#holdingDeadline = Infinity;
  }

  ended(): void {
    this.#begun--;
    // A later call must not get the deadline of one that has ended.
    if (this.#begun === 0) this.#latestDeadline = 0;
    if (this.#pending.length > 0) this.#beginPending();
  }

  /** Progress is what the child reports. */
  moved(): void {}

  answered(calls: number): void {
    this.#load.countServed(calls);
    this.release(calls);
  }

  release(places: number): void {
    this.#load.release(places);
    this.#deploymentLoad.announceFreed();
  }

  /** The child reports its state. */
  reported(state: ChildState): void {
    const at = now();
    const load = this.#load;
    if (state.beats === this.#beats) load.tick(at);
    else load.beat(at);
    this.#beats = state.beats;
    this.#arrived = state.arrived;
    this.#room = state.room;
    this.#roomWhileHeld = state.roomWhileHeld;
    this.#meanMs = state.meanHoldingMs;
    load.meanHoldingMs = state.meanHoldingMs;
    load.utilization = state.utilization;
    this.#count(state);
    load.latestDeadline = this.#latestDeadline;
    // Calls that the child has not seen may hold its loop from now on.
    if (this.#unseen > 0) load.hold(at, this.#holdingDeadline);
    else load.letGo(true);
    this.#publish();
    this.#beginPending();
    if (load.hasRoom) this.#deploymentLoad.announceFreed();
  }

  /** Number of calls that the child had not seen when it reported last. */
  get #unseen(): number {
    return this.#sent - this.#arrived;
  }

  /** Whether calls hold the child's loop only briefly. */
  get #isQuick(): boolean {
    return this.#meanMs > 0 && this.#meanMs < QUICK_MS;
  }

  #count({ calls, failures, durations }: ChildState): void {
    let timed = 0;
    for (; this.#calls < calls; this.#calls++) {
      const isFailure = this.#failures < failures;
      if (isFailure) this.#failures++;
      this.#tally.record(isFailure, isFailure ? undefined : durations[timed++]);
    }
  }

  #beginPending(): void {
    while (this.#pending.length > 0 && this.#room > this.#unseen)
      this.#begin(this.#pending.shift() as ArrivedCall, now());
  }

  #begin(call: ArrivedCall, at: number): void {
    const deadline = call.deadline === 0 ? Infinity : call.deadline;
    if (deadline > this.#latestDeadline) this.#latestDeadline = deadline;
    this.#begun++;
    this.#sent++;
    if (!call.begin(at, !this.#isQuick)) {
      this.#begun--;
      this.#sent--;
      return;
    }
    this.#holdingDeadline = this.#isQuick ? this.#latestDeadline : call.deadline;
    this.#load.hold(at, this.#holdingDeadline);
    if (!this.#isQuick) this.#publish();
  }

  /** Publishes for how many calls the replica is open: those that the child takes now, and some that may wait here. */
  #publish(): void {
    const ahead = this.#meanMs >= LONG_MS ? 0 : 1;
    const open = this.#begun + Math.max(this.#room - this.#unseen, ahead);
    const whileHeld = this.#isQuick ? open : this.#begun + Math.max(this.#roomWhileHeld - this.#unseen, 0);
    if (this.#load.setOpen(open, whileHeld)) this.#deploymentLoad.announceFreed();
  }
}
