import { RESERVED } from '../../load/load-table.ts';
import type { Call } from '../call/call.ts';
import type { Outcome } from '../call/call-stats.ts';
import type { SharedWaitQueue } from '../queue/shared-wait-queue.ts';
import { COLD } from '../queue/sub-queues.ts';
import type { WaitQueue } from '../queue/wait-queue.ts';
import type { Endpoint } from './endpoint.ts';
import { ModelCosts } from './model-costs.ts';

/** A model load gives way to calls that are younger by at most this share of the call's time. */
const PATIENCE_SHARE = 1 / 4;
/** A model load for a call without a deadline gives way to calls that are younger by at most this time, in ms. */
const MOST_PATIENCE_MS = 15_000;

/** A call that was sent to a replica which had yet to load its model. */
interface Bringer {
  readonly key: number;
  readonly endpoint: Endpoint;
}

/**
 * Chooses replicas for the calls that name a multiplexed model.
 *
 * A call waits for a replica that holds its model while that costs less than a load elsewhere (`ModelCosts`). A load
 * gives way to calls that wait for models which the replica holds already, unless it has waited twice as long as they
 * have: the longer calls wait, the more of them are served between two loads. So the share of the time spent on loads
 * shrinks as the queue grows, and the queue is stable wherever one without loads is (as gated polling systems are:
 * Takagi 1988).
 */
export class ModelAffinity {
  readonly #queue: WaitQueue<Call>;
  readonly #sharedQueue: SharedWaitQueue;
  readonly #costs: ModelCosts;
  /** Calls that bring their model to a replica, or wait there until it is loaded. */
  readonly #bringers = new Map<Call, Bringer>();
  /** Replicas that were sent a call for a model and do not advertise the model yet. */
  readonly #coming = new Map<number, Endpoint>();

  /** Set once calls of this thread stepped aside, until other threads are told. */
  #hasYielded = false;
  /** Set if calls were shown in the last round because a place for them seemed free. */
  #hasShown = false;

  constructor(queue: WaitQueue<Call>, sharedQueue: SharedWaitQueue) {
    this.#queue = queue;
    this.#sharedQueue = sharedQueue;
    this.#costs = new ModelCosts(queue.models);
  }

  /**
   * Takes a place for a call; undefined if the call is to wait.
   * @param except a replica to skip: the call runs there, and a second load for the call would not pay
   */
  reserve(
    call: Call,
    key: number,
    endpoints: readonly Endpoint[],
    except: Endpoint | undefined,
    at: number,
  ): Endpoint | undefined {
    for (let tries = 0; tries < endpoints.length; tries++) {
      const endpoint =
        this.#freeHolder(key, endpoints, except, at) ??
        (except === undefined ? this.#placeForLoad(call, key, endpoints, at) : undefined);
      if (endpoint === undefined) return undefined;
      // Another thread may have been faster: then the replica is full, and another replica is the best.
      if (endpoint.channel.reserve(at) !== RESERVED.ok) continue;
      if (except === undefined) this.sent(call, key, endpoint, at);
      return endpoint;
    }
    return undefined;
  }

  /**
   * Lets the head of the queue, which got no place, wait for its model alone; false if no place is free at all, so that
   * no call behind it would get a place either.
   */
  stepAside(call: Call, endpoints: readonly Endpoint[], at: number): boolean {
    const { modelKey } = call;
    if (
      modelKey === undefined ||
      !endpoints.some((endpoint) => hasRoom(endpoint, at)) ||
      !this.#sharedQueue.isTurnOf(call, at)
    )
      return false;
    const isHeld = endpoints.some((endpoint) => this.#isHolder(endpoint, modelKey, at));
    this.#queue.setAside(isHeld ? modelKey : COLD);
    this.#hasYielded = true;
    return true;
  }

  /**
   * Shows the calls among those set aside that may have a place now. When no place is free, shows the first calls of
   * all sub-queues, which then wait for a place like any other call.
   */
  show(endpoints: readonly Endpoint[], at: number): void {
    const queue = this.#queue;
    if (queue.hasCold) this.#showCold(endpoints);
    const isFull = !endpoints.some((endpoint) => hasRoom(endpoint, at));
    this.#hasShown = false;
    for (const subQueue of queue.subQueues) {
      const { key } = subQueue;
      if (isFull) {
        queue.show(subQueue);
      } else if (key !== COLD && !endpoints.some((endpoint) => this.#isHolder(endpoint, key, at))) {
        // The call's replica died or evicted the model.
        queue.showAll(key);
        this.#hasShown = true;
      } else if (this.#mayGo(queue.firstOf(subQueue), endpoints, at)) {
        queue.show(subQueue);
        this.#hasShown = true;
      }
    }
  }

  /** The queue was searched to its end. */
  drained(): void {
    // Calls that were shown and got no place do not count: the search would never end.
    if (this.#hasYielded && !this.#hasShown) this.#sharedQueue.yielded();
    this.#hasYielded = false;
  }

  /** A call was taken back before it began. */
  takenBack(call: Call): void {
    const brought = this.#bringers.get(call);
    if (brought !== undefined) this.#arrived(call, brought);
  }

  /** A call ended. */
  settled(call: Call, outcome: Outcome, at: number, isMeasured = true): void {
    if (call.modelKey === undefined) return;
    const brought = this.#bringers.get(call);
    const { endpoint } = call;
    if (isMeasured && endpoint !== undefined && (outcome === 'ok' || outcome === 'error')) {
      const ms = call.ranUntil(at);
      if (brought === undefined) this.#costs.ran(endpoint, ms);
      else this.#costs.ranWithLoad(endpoint, ms);
    }
    if (brought !== undefined) this.#arrived(call, brought);
  }

  #mayGo(call: Call | undefined, endpoints: readonly Endpoint[], at: number): boolean {
    if (call?.modelKey === undefined) return false;
    const { modelKey } = call;
    return (
      this.#freeHolder(modelKey, endpoints, undefined, at) !== undefined ||
      this.#placeForLoad(call, modelKey, endpoints, at) !== undefined
    );
  }

  /** Lets cold calls whose model a replica holds by now wait for that replica. */
  #showCold(endpoints: readonly Endpoint[]): void {
    for (const { channel } of endpoints)
      for (let index = 0, key = channel.models.at(0); key !== undefined; key = channel.models.at(++index))
        this.#queue.showCold(key);
  }

  /** The cheapest replica that holds a model and has room. */
  #freeHolder(
    key: number,
    endpoints: readonly Endpoint[],
    except: Endpoint | undefined,
    at: number,
  ): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (const endpoint of endpoints) {
      if (!hasRoom(endpoint, at) || endpoint === except || !this.#isHolder(endpoint, key, at)) continue;
      if (best === undefined || isSooner(endpoint, best)) best = endpoint;
    }
    return best;
  }

  /**
   * The best replica to load the model of a call, where no holder has room; undefined if waiting costs the call less.
   */
  #placeForLoad(call: Call, key: number, endpoints: readonly Endpoint[], at: number): Endpoint | undefined {
    const holders = endpoints.filter((endpoint) => this.#isHolder(endpoint, key, at));
    const loadMs = this.#costs.loadMs(endpoints);
    const waitMs = this.#costs.waitMs(call, key, holders, loadMs, at);
    const until = call.readyAt + patienceMs(call, loadMs ?? 0, at);
    let best: Endpoint | undefined;
    for (const endpoint of endpoints) {
      if (!hasRoom(endpoint, at) || holders.includes(endpoint)) continue;
      if (waitMs < this.#costs.ofLoad(endpoint, loadMs)) continue;
      if (this.#isWanted(endpoint, call.priorityRank, until)) continue;
      if (best === undefined || isBetterForLoad(endpoint, best, key)) best = endpoint;
    }
    return best;
  }

  /** Whether a replica takes calls and holds a model, or is about to load it. */
  #isHolder(endpoint: Endpoint, key: number, at: number): boolean {
    const { channel } = endpoint;
    const isThere = channel.models.holds(key) || this.#coming.get(key) === endpoint;
    return isThere && channel.room(at) !== RESERVED.gone;
  }

  /** Whether calls of at least this importance that came until then wait for models that a replica holds. */
  #isWanted({ channel }: Endpoint, priorityRank: number, until: number): boolean {
    const { models } = this.#queue;
    for (let index = 0, key = channel.models.at(0); key !== undefined; key = channel.models.at(++index)) {
      const first = models.first(key, priorityRank);
      if (first !== undefined && first.readyAt <= until) return true;
    }
    return false;
  }

  /** A place was taken for a call. */
  sent(call: Call, key: number, endpoint: Endpoint, at: number): void {
    // The call may have been sent before, to a replica that died.
    this.takenBack(call);
    const { models } = endpoint.channel;
    const isHeld = models.holds(key);
    if (isHeld) this.#costs.waited(endpoint, at - call.readyAt);
    if (isHeld && !this.#coming.has(key)) return;
    this.#bringers.set(call, { key, endpoint });
    if (!isHeld && models.keepsModels) this.#coming.set(key, endpoint);
  }

  #arrived(call: Call, { key, endpoint }: Bringer): void {
    this.#bringers.delete(call);
    if (this.#coming.get(key) === endpoint) this.#coming.delete(key);
  }
}

function hasRoom({ channel }: Endpoint, at: number): boolean {
  return channel.room(at) === RESERVED.ok;
}

/** Whether a call costs less at one replica than at another: where it would wait it costs more than anywhere else. */
function isSooner(endpoint: Endpoint, than: Endpoint): boolean {
  const { wouldWait } = endpoint.channel;
  return wouldWait === than.channel.wouldWait ? endpoint.score < than.score : !wouldWait;
}

/** The greatest age difference, in ms, for which a load gives way to younger calls. */
function patienceMs({ readyAt, expiresAt }: Call, loadMs: number, at: number): number {
  const most = expiresAt === 0 ? MOST_PATIENCE_MS : PATIENCE_SHARE * (expiresAt - readyAt);
  return Math.min(most, Math.max(loadMs, (at - readyAt) / 2));
}

/**
 * Replicas at which the call need not wait come first; among them those with room for one more model, the fewest models
 * first; then the replica whose stalest model is the stalest. Ties are broken by an order of each model's own, so that
 * threads which ask for a model at once agree.
 */
function isBetterForLoad(endpoint: Endpoint, than: Endpoint, key: number): boolean {
  const { wouldWait } = endpoint.channel;
  if (wouldWait !== than.channel.wouldWait) return !wouldWait;
  const [a, b] = [endpoint.channel.models, than.channel.models];
  const later =
    a.stalestAt === 0 || b.stalestAt === 0
      ? Number(a.stalestAt !== 0) - Number(b.stalestAt !== 0) || a.count - b.count
      : (a.stalestAt - b.stalestAt) | 0;
  return later === 0 ? endpoint.weight(key) > than.weight(key) : later < 0;
}
