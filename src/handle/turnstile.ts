import { DeploymentLoad, QueueLedger } from '../pool/deployment-load.ts';
import { inRootContext } from '../time/root-context.ts';
import type { Call } from './call.ts';

/** A waiter older than this stops newcomers of other threads from barging in. */
const BARRIER_AFTER_MS = 50;

const NO_PLACES = (): number => 0;

function isOld(call: Call | undefined, at: number): boolean {
  return call !== undefined && at - call.readyAt > BARRIER_AFTER_MS;
}

/**
 * What a thread that waits for a deployment shares with the other threads that do: the count of those who wait, by
 * priority, the rule whose turn it is, and the sign that a place was freed.
 */
export class Turnstile {
  readonly #caller: number;
  #load = new DeploymentLoad();
  #ledger = new QueueLedger();
  /** Whether the tables are the shared ones. A freed place is announced in them only. */
  #isShared = false;
  /** The wait for a freed place. */
  #wait: FreedWait | undefined = undefined;
  #hasBarrier = false;

  /** @param caller index of the thread */
  constructor(caller: number) {
    this.#caller = caller;
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
  adopt(load: DeploymentLoad, ledger: QueueLedger, waiting: Iterable<Call>): void {
    this.#endWait();
    for (const call of waiting) {
      this.leave(call);
      load.enqueue(call.priorityRank, ledger, true, NO_PLACES);
    }
    this.#load = load;
    this.#ledger = ledger;
    this.#isShared = true;
  }

  /** No call waits any more, nor will. */
  close(): void {
    this.#endWait();
    this.#isShared = false;
  }

  /**
   * A call starts to wait; false if the queue is full.
   * @param accepted it was accepted before: the cap does not apply
   * @param places free places at the replicas: calls that wait for them are not queued yet
   */
  enter(call: Call, accepted: boolean, places: () => number): boolean {
    if (!this.#load.enqueue(call.priorityRank, this.#ledger, accepted, places)) return false;
    this.#load.announceWaiting(call.priorityRank, call.queuedAt);
    return true;
  }

  /** A call waits no more. */
  leave(call: Call): void {
    this.#load.dequeue(call.priorityRank, this.#ledger);
  }

  /** One call takes the place of another one in the queue. */
  replace(leaving: Call, entering: Call): void {
    this.#load.exchange(leaving.priorityRank, entering.priorityRank, this.#ledger);
    this.#load.announceWaiting(entering.priorityRank, entering.queuedAt);
  }

  /** A waiting call would not take the places that are free, and holds up no other call. */
  setAside(call: Call): void {
    this.#load.setAside(call.priorityRank, this.#ledger);
  }

  /** A call that was set aside waits like any other again. */
  putBack(call: Call): void {
    this.#load.putBack(call.priorityRank, this.#ledger);
  }

  /** Calls of this thread stepped aside: those of other threads may go. */
  yielded(): void {
    this.#load.announceFreed();
  }

  /** Newcomers do not overtake more important calls nor old ones that are as important, in any thread. */
  mayPass(call: Call): boolean {
    return this.#load.queued === 0 || this.isTurnOf(call, call.readyAt);
  }

  /** The same for the head of this thread's queue; old heads compete. */
  isTurnOf(call: Call, at: number): boolean {
    const load = this.#load;
    if (load.hasWaitingAbove(call.priorityRank, at)) return false;
    return isOld(call, at) || !load.isBarred(this.#caller, call.priorityRank, at);
  }

  /** Repeated while calls wait: what this thread said about them fades. */
  tend(waiting: Iterable<Call>, head: Call | undefined, at: number): void {
    for (const call of waiting) this.#load.announceWaiting(call.priorityRank, at);
    if (head === undefined || !isOld(head, at)) return;
    this.#hasBarrier = true;
    this.#load.raiseBarrier(this.#caller, head.priorityRank, at);
  }

  /** The queue of this thread moved on. */
  moved(head: Call | undefined, at: number): void {
    if (!this.#hasBarrier || isOld(head, at)) return;
    this.#hasBarrier = false;
    this.#load.lowerBarrier(this.#caller);
    // The others may go on.
    this.#load.announceFreed();
  }

  /**
   * Waits for a freed place, as often as somebody waits. Armed before each look at the loads, so that a place freed in
   * between is either seen by the look or ends the wait at once. Does nothing before the shared tables are there.
   *
   * @param look sends what can be sent, and answers whether somebody still waits
   */
  arm(look: () => boolean): void {
    if (this.#wait !== undefined || !this.#isShared) return;
    const wait = { load: this.#load, ledger: this.#ledger };
    this.#wait = wait;
    wait.load.arm(wait.ledger);
    // It goes on for as long as any call waits, and not in the async context of the first one.
    inRootContext(() => this.#lookAndWait(wait, look));
  }

  #lookAndWait(wait: FreedWait, look: () => boolean): void {
    const seen = wait.load.freedSequence;
    const goesOn = look();
    // The look may have closed the queue.
    if (this.#wait !== wait) return;
    if (!goesOn) {
      this.#wait = undefined;
      wait.load.disarm(wait.ledger);
      return;
    }
    void wait.load.waitFreed(seen).then(() => {
      if (this.#wait === wait) this.#lookAndWait(wait, look);
    });
  }

  /** A wait that nothing ends would stay in memory, with all that it leads to, for as long as the thread lives. */
  #endWait(): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    wait.load.disarm(wait.ledger);
    wait.load.endWaits();
  }
}

/** A wait for a freed place, and the tables that it was announced in. */
interface FreedWait {
  readonly load: DeploymentLoad;
  readonly ledger: QueueLedger;
}
