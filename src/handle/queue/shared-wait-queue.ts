import { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import type { QueueHead } from '../../load/queue-heads.ts';
import { type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { PRIORITIES } from './priority.ts';

/**
 * A thread whose call goes first counts as asleep when it has not looked at free places for this time, in ms and as a
 * share of its call's waiting time: its loop is held, or the machine is busy.
 */
const ASLEEP_MS = 10;
const ASLEEP_SHARE = 0.1;

/** A call that waits, or would wait, for a place. */
export interface QueuedCall extends QueueHead {
  /** Time since which the call waits. */
  readonly queuedAt: number;
}

const NO_PLACES = (): number => 0;

/**
 * The state that threads waiting for a deployment share: the count of waiting calls by priority, the order of turns,
 * and the signal that a place was freed.
 */
export class SharedWaitQueue {
  #load = new DeploymentLoad();
  #ledger = new QueueLedger();
  /** Whether the tables are the shared ones: freed places are announced only there. */
  #isShared = false;
  /** Whether this thread takes part in the order of the heads. */
  #hasJoined = false;
  /** The wait for a freed place. */
  #wait: FreedWait | undefined = undefined;
  /** Sequence number of the freed places that this thread looks at, or last looked at. */
  #sequence = 0;
  /** Runs while calls of other threads go first. */
  #alarm: Timer | undefined = undefined;

  constructor() {
    this.#load.maxQueued = -1;
  }

  /** Calls that wait, over all threads of the instance. */
  get queued(): number {
    return this.#load.queued;
  }

  get maxQueued(): number {
    return this.#load.maxQueued;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, waiting: Iterable<QueuedCall>): void {
    this.#end();
    for (const call of waiting) {
      this.leave(call);
      load.enqueue(call.priorityRank, ledger, true, NO_PLACES);
    }
    this.#load = load;
    this.#ledger = ledger;
    this.#isShared = true;
  }

  /** Ends the waiting: no call waits from now on. */
  close(): void {
    this.#end();
    this.#isShared = false;
  }

  /**
   * A call starts to wait; false if the queue is full.
   * @param accepted the call was accepted before: the cap does not apply
   * @param places free places at the replicas: calls that wait for them are not queued yet
   */
  enter(call: QueuedCall, accepted: boolean, places: () => number): boolean {
    if (!this.#load.enqueue(call.priorityRank, this.#ledger, accepted, places)) return false;
    this.#load.announceWaiting(call.priorityRank, call.queuedAt);
    return true;
  }

  /** A call stops waiting. */
  leave(call: QueuedCall): void {
    this.#load.dequeue(call.priorityRank, this.#ledger);
    if (this.#ledger.queued === 0) this.#load.heads.clear();
  }

  /** One call takes the place of another one in the queue. */
  replace(leaving: QueuedCall, entering: QueuedCall): void {
    this.#load.exchange(leaving.priorityRank, entering.priorityRank, this.#ledger);
    this.#load.announceWaiting(entering.priorityRank, entering.queuedAt);
  }

  /** A waiting call would not take the places that are free, and holds up no other call. */
  setAside(call: QueuedCall): void {
    this.#load.setAside(call.priorityRank, this.#ledger);
  }

  /** A call that was set aside waits like any other again. */
  putBack(call: QueuedCall): void {
    this.#load.putBack(call.priorityRank, this.#ledger);
  }

  /** Calls of this thread stepped aside: calls of other threads may go. */
  yielded(): void {
    this.#load.announceFreed();
  }

  /** Whether a call may pass the waiting calls: a newcomer never overtakes an older call of the same importance. */
  mayPass(call: QueuedCall): boolean {
    return this.#load.queued === 0 || this.isTurnOf(call, call.readyAt);
  }

  /** Whether neither a more important nor an older call of another thread goes before the head of this thread's queue. */
  isTurnOf(call: QueuedCall, at: number): boolean {
    const load = this.#load;
    if (load.hasWaitingAbove(call.priorityRank, at)) return false;
    const sequence = load.freedSequence;
    const waited = load.heads.waitBefore(call, at, sequence);
    if (waited > 0) {
      this.#setAlarm(Math.max(ASLEEP_MS, waited * ASLEEP_SHARE), sequence);
      return false;
    }
    this.#sequence = sequence;
    return true;
  }

  /** Repeats this thread's announcements while calls wait, since they fade. */
  tend(at: number): void {
    for (let priority = 0; priority < PRIORITIES.length; priority++)
      if (this.#ledger.queuedOf(priority) > 0) this.#load.announceWaiting(priority, at);
  }

  /** The call becomes the head of this thread's queue. */
  moved(head: QueueHead | undefined): void {
    const { heads } = this.#load;
    if (head === undefined) {
      heads.clear();
      return;
    }
    if (!this.#hasJoined && this.#isShared) {
      this.#hasJoined = true;
      this.#load.join(this.#ledger);
    }
    heads.publish(head, this.#sequence);
  }

  /**
   * Waits for a freed place, again and again while calls wait. Armed before each look at the loads, so that a place
   * freed in between is either seen by the look or ends the wait at once. Does nothing before the shared tables arrive.
   *
   * @param look sends the calls that can be sent, and returns whether calls still wait
   */
  arm(look: () => boolean): void {
    if (this.#wait !== undefined || !this.#isShared) return;
    const wait = { load: this.#load, ledger: this.#ledger, look };
    this.#wait = wait;
    wait.load.arm(wait.ledger);
    // The wait goes on while any call waits, so it leaves the async context of the first call.
    inRootContext(() => this.#lookAndWait(wait));
  }

  #lookAndWait(wait: FreedWait): void {
    const seen = wait.load.freedSequence;
    const goesOn = wait.look();
    // The look may have closed the queue.
    if (this.#wait !== wait) return;
    if (!goesOn) {
      this.#wait = undefined;
      wait.load.disarm(wait.ledger);
      return;
    }
    void wait.load.waitFreed(seen).then(() => {
      if (this.#wait === wait) this.#lookAndWait(wait);
    });
  }

  /**
   * Looks again once the threads that go first had time to take a place, since a thread whose loop is held takes none.
   */
  #setAlarm(ms: number, sequence: number): void {
    if (this.#wait === undefined || this.#alarm !== undefined) return;
    const markAsleep = this.#load.heads.watch(sequence);
    const ring = (): void => {
      this.#alarm = undefined;
      markAsleep();
      this.#wait?.look();
    };
    this.#alarm = inRootContext(() => time.after(ms, ring));
    // The wheel keeps the process alive while a call waits.
    this.#alarm.unref();
  }

  /**
   * Ends the wait: a wait that never ends would stay in memory, with everything it references, while the thread lives.
   */
  #end(): void {
    time.cancel(this.#alarm);
    this.#alarm = undefined;
    if (this.#hasJoined) this.#load.leave(this.#ledger);
    this.#hasJoined = false;
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    wait.load.disarm(wait.ledger);
    wait.load.endWaits();
  }
}

/** A wait for a freed place, and the tables in which places are announced. */
interface FreedWait {
  readonly load: DeploymentLoad;
  readonly ledger: QueueLedger;
  /** Sends the calls that can be sent, and returns whether calls still wait. */
  readonly look: () => boolean;
}
