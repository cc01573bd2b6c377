import type { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import type { SessionTable } from '../../load/session-table.ts';
import { activeTime } from '../../time/active-time.ts';
import { batchTime, now } from '../../time/clock.ts';
import type { Call } from '../call/call.ts';
import { CALL_STATE, type CallState } from '../call/call-progress.ts';
import type { Outcome } from '../call/call-stats.ts';
import type { Counters } from '../call/counters.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { EndpointSet } from '../endpoints/endpoint-set.ts';
import { ModelAffinity } from '../endpoints/model-affinity.ts';
import { Recall } from '../endpoints/recall.ts';
import { Retries } from '../policies/retries.ts';
import { RunAccounts } from '../policies/run-accounts.ts';
import { Shedding } from '../policies/shedding.ts';
import { SharedWaitQueue } from '../queue/shared-wait-queue.ts';
import { WaitQueue } from '../queue/wait-queue.ts';
import type { RouteTender, TendedRoute } from './route-keeper.ts';

/**
 * Finds a replica for each call of a route: at once if a replica has room and no other call goes first, else at the
 * call's turn.
 */
export class Dispatcher implements TendedRoute {
  /** Whether `tend` is called periodically. */
  isTended = false;
  readonly endpoints = new EndpointSet();
  readonly runs: RunAccounts;
  readonly retries: Retries;
  readonly shedding: Shedding;
  readonly #sharedQueue = new SharedWaitQueue();
  readonly #queue: WaitQueue<Call>;
  /** Undefined until a call names a model. */
  #models: ModelAffinity | undefined = undefined;
  readonly #recall = new Recall(this.endpoints);
  readonly #tender: RouteTender;
  #isDraining = false;

  /**
   * @param weightOf share of a tenant against the others of its priority
   * @param tender is told when calls wait or may have to move
   */
  constructor(counters: Counters, weightOf: (tenant: string) => number, tender: RouteTender) {
    const sharedQueue = this.#sharedQueue;
    this.#queue = new WaitQueue<Call>(weightOf, sharedQueue);
    this.runs = new RunAccounts(this.#queue);
    this.shedding = new Shedding(counters, sharedQueue);
    this.retries = new Retries(counters, this.runs.times, (call, except, at) =>
      this.#reserve(call, at, except),
    );
    this.#tender = tender;
  }

  /** Number of waiting calls of this thread. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Free places for which no call waits. */
  get free(): number {
    return Math.max(0, this.endpoints.places() - this.#sharedQueue.queued);
  }

  get isBusy(): boolean {
    return this.#queue.size > 0 || this.endpoints.hasOutstanding;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, sessions: SessionTable | undefined): void {
    this.#queue.showEverything();
    this.#sharedQueue.adopt(load, ledger, this.#queue);
    this.retries.adopt(load);
    if (sessions !== undefined) this.endpoints.sessions.adopt(sessions);
  }

  /** Looks for places for the calls that came before the shared tables. */
  resume(): void {
    if (this.#queue.size > 0) this.#sharedQueue.arm(this.#look);
  }

  add(endpoint: Endpoint): void {
    this.endpoints.add(endpoint);
    endpoint.channel.onFreed(() => {
      if (this.#queue.size > 0) this.drain();
      else if (this.#recall.isDue(batchTime)) this.#rebalance(batchTime);
    });
    this.drain();
  }

  /** A replica is gone: calls that waited for its models may go elsewhere. */
  removed(): void {
    if (this.#queue.aside > 0) this.drain();
  }

  /** Removes and returns all waiting calls. */
  takeWaiting(): Call[] {
    const waiting = this.#queue.drain();
    const at = now();
    for (const call of waiting) {
      this.#sharedQueue.leave(call);
      call.dequeued(at);
    }
    return waiting;
  }

  /** Ends the waiting: no call waits from now on. */
  close(): void {
    this.#sharedQueue.close();
  }

  settled(call: Call, outcome: Outcome, before: CallState, at: number): void {
    const isMeasured = !activeTime.spansPause(call.sentAt, at);
    if (isMeasured) this.endpoints.settled(call, before === CALL_STATE.sent, outcome, at);
    this.runs.settled(call, outcome, before, at, isMeasured);
    this.#models?.settled(call, outcome, at, isMeasured);
  }

  /**
   * Sends an admitted call, or queues it.
   *
   * @param isAccepted another instance has accepted the call: a full queue does not refuse it
   */
  accept(call: Call, isAccepted = false): void {
    if (call.readyAt >= this.endpoints.dueAt) this.endpoints.look(call.readyAt);
    // Calls that wait only for their model let others pass once it is certain that none of them has a place.
    if (this.#queue.aside > 0) this.drain();
    const isFirst = this.#queue.size === this.#queue.aside;
    if (isFirst && this.#sharedQueue.mayPass(call)) {
      const endpoint = this.#reserve(call, call.readyAt);
      if (endpoint !== undefined) {
        this.#send(call, endpoint, call.readyAt);
        return;
      }
    }
    this.#enqueue(call, isAccepted);
    if (isFirst && this.#queue.peek() === call)
      this.#models?.stepAside(call, this.endpoints.inService, call.queuedAt);
  }

  /** Sends a call to a given replica on which a place was reserved. */
  dispatchTo(call: Call, endpoint: Endpoint): void {
    call.pin();
    this.#send(call, endpoint, call.readyAt);
  }

  /** Sends waiting calls while there is room. */
  drain(): void {
    // An inline call may end, and free its place, while it is being sent.
    if (this.#isDraining) return;
    this.#isDraining = true;
    // Calls that stepped aside may have a place once other calls have left.
    while (this.#sendWaiting() && this.#queue.aside > 0);
    this.#isDraining = false;
    this.#models?.drained();
  }

  /** @returns whether a call was sent */
  #sendWaiting(): boolean {
    const at = now();
    let hasSent = false;
    if (this.#queue.aside > 0) this.#models?.show(this.endpoints.inService, at);
    let call = this.#queue.peek();
    while (call !== undefined) {
      if (this.runs.isDoomed(call, at)) {
        call.dequeued(at);
        this.leftQueue(call);
        this.shedding.shed(call, 'doomed');
      } else {
        const endpoint = this.#sharedQueue.isTurnOf(call, at) ? this.#reserve(call, at) : undefined;
        if (endpoint === undefined) {
          if (this.#models?.stepAside(call, this.endpoints.inService, at) !== true) break;
        } else {
          this.#queue.shift();
          this.#sharedQueue.leave(call);
          call.dequeued(at);
          this.runs.began(call, at);
          this.#send(call, endpoint, at);
          hasSent = true;
        }
      }
      call = this.#queue.peek();
    }
    this.#sharedQueue.moved(call);
    return hasSent;
  }

  /** Called periodically while calls wait: catches lost wake-ups and keeps old calls from starving. */
  tend(at: number): void {
    this.#requeue(this.#recall.held(at));
    this.shedding.sample(this.endpoints.takeServed(), at);
    this.endpoints.look(at);
    this.drain();
    this.#sharedQueue.tend(at);
  }

  /** Removes a call that no longer waits from the queue. */
  leftQueue(call: Call): void {
    this.#queue.forget(call);
    this.#sharedQueue.leave(call);
    this.#sharedQueue.moved(this.#queue.peek());
  }

  #send(call: Call, endpoint: Endpoint, at: number): void {
    call.sentTo(endpoint, at);
    if (this.retries.isWatchful) this.retries.watch(call, endpoint);
    this.#recall.sent(call);
    if (!this.isTended) this.#tender.tend(this);
    endpoint.channel.send(call);
    call.onSent();
  }

  /** Queues calls again that were sent and have not begun: another replica has room, or a more important call came. */
  #requeue(calls: Iterable<Call>): void {
    for (const call of calls) {
      call.takenBack();
      this.#models?.takenBack(call);
      this.#sharedQueue.enter(call, true, this.endpoints.places);
      this.#queue.push(call);
    }
    if (this.#queue.size > 0) this.#sharedQueue.arm(this.#look);
  }

  /** Moves calls that wait behind a long call at one replica to another replica with room, while nothing waits here. */
  #rebalance(at: number): void {
    this.#requeue(this.#recall.held(at));
    if (this.#queue.size > 0) this.drain();
  }

  /** A sent call was given back before it began: it keeps its place in the order, and waits for another replica. */
  returned(call: Call): void {
    this.#requeue([call]);
    if (!this.isTended) this.#tender.tend(this);
    this.drain();
  }

  /** A call lost its replica, and waits for another one. */
  sendAgain(call: Call): void {
    this.#enqueue(call, true);
    this.drain();
  }

  /** @param accepted the call was accepted before: a full queue does not refuse it */
  #enqueue(call: Call, accepted: boolean): void {
    call.queued(now());
    if (!this.#sharedQueue.enter(call, accepted, this.endpoints.places) && !this.#displace(call)) {
      call.dequeued(call.queuedAt);
      this.shedding.shed(call, 'queue_full');
      return;
    }
    this.runs.isLearning = true;
    if (this.endpoints.all[0]?.channel.isInline !== false) call.keepOrigin();
    this.#queue.push(call);
    if (!this.isTended) this.#tender.tend(this);
    if (this.#recall.mayPrecede(call)) this.#requeue(this.#recall.below(call));
    this.#sharedQueue.arm(this.#look);
  }

  readonly #look = (): boolean => {
    this.drain();
    return this.#queue.size > 0;
  };

  /** Makes room in a full queue: a call of this thread with a weaker claim, if any, gives its place up. */
  #displace(newcomer: Call): boolean {
    const victim = this.#queue.victimFor(newcomer);
    if (victim === undefined) return false;
    victim.dequeued(newcomer.queuedAt);
    this.#queue.forget(victim);
    this.#sharedQueue.replace(victim, newcomer);
    this.shedding.shed(victim, 'displaced');
    return true;
  }

  #reserve(call: Call, at: number, except?: Endpoint): Endpoint | undefined {
    if (call.modelKey !== undefined) this.#models ??= new ModelAffinity(this.#queue, this.#sharedQueue);
    return this.endpoints.reserve(call, at, except, this.#models);
  }
}
