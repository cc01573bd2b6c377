import type { Call } from '../call/call.ts';
import type { Destination } from '../call/destination.ts';
import type { WaitingModels } from '../queue/waiting-models.ts';
import type { Endpoint } from './endpoint.ts';

/** Weight of the newest call in the mean run time of a replica, and in the mean wait for it. */
const NEWEST_RUN = 0.1;
const NEWEST_WAIT = 0.05;
/** A call waits no longer than this for a replica that holds its model while the duration of a load is unknown. */
const UNKNOWN_LOAD_MS = 1_000;
/** Lower bound of a load's cost, in ms: a place that was freed is used again after a fraction of a millisecond. */
const LEAST_LOAD_MS = 5;
/** Number of loads that a load with an eviction counts as, since the evicted model has to come back. */
const LOADS_WITH_EVICTION = 2;
/**
 * Mean waits at its replica that a load costs besides. Waits of calls are spread like an exponential distribution, so
 * fewer than one in 50 is longer by chance: longer waits show that the holder is busier than the others. Simulated (12
 * models in 4 × 3 slots, load 0.7): 0 waits → hit rate 0.91 and 504 ms; 3 → 0.986, 78 ms; 5 → 0.988, 79 ms.
 */
const WAITS = 4;

/**
 * Estimates two costs of a call, in ms: waiting for a replica that holds its model, and loading the model elsewhere.
 */
export class ModelCosts {
  readonly #waiting: WaitingModels<Call>;
  /** Mean time for which calls hold a place at a replica that holds their model. */
  readonly #runMs = new WeakMap<Destination, number>();
  /** Mean of these times over all replicas. */
  #meanRunMs: number | undefined = undefined;
  /** Mean time for which calls waited for a place at a replica that holds their model. */
  readonly #waitMs = new WeakMap<Destination, number>();

  constructor(waiting: WaitingModels<Call>) {
    this.#waiting = waiting;
  }

  /** Records how long a call held its place at a replica that holds its model. */
  ran(endpoint: Destination, ms: number): void {
    this.#runMs.set(endpoint, towards(ms, this.#runMs.get(endpoint) ?? ms, NEWEST_RUN));
    this.#meanRunMs = towards(ms, this.#meanRunMs ?? ms, NEWEST_RUN);
  }

  /** Records how long a call held its place while its model was loaded: an estimate until a better value is known. */
  ranWithLoad(endpoint: Destination, ms: number): void {
    this.#meanRunMs ??= Math.max(0, ms - endpoint.channel.models.loadMs);
  }

  /** Records how long a call waited for a place at a replica that holds its model. */
  waited(endpoint: Endpoint, ms: number): void {
    this.#waitMs.set(endpoint, towards(ms, this.#waitMs.get(endpoint) ?? 0, NEWEST_WAIT));
  }

  /** Mean duration of a load, in ms; undefined while no replica has loaded a model. */
  loadMs(endpoints: readonly Endpoint[]): number | undefined {
    let sum = 0;
    let known = 0;
    for (const { channel } of endpoints) {
      const { loadMs } = channel.models;
      if (loadMs === 0) continue;
      sum += loadMs;
      known++;
    }
    return known === 0 ? undefined : Math.max(LEAST_LOAD_MS, sum / known);
  }

  /**
   * Cost of waiting for one of the holders of a model: the time until one has a place, and at least the time that the
   * call has waited already, since the calls that run there may take longer than usual. Infinite where no replica holds
   * the model.
   */
  waitMs(
    call: Call,
    key: number,
    holders: readonly Endpoint[],
    loadMs: number | undefined,
    at: number,
  ): number {
    let least = Infinity;
    for (const holder of holders) {
      const runMs = this.#runMs.get(holder) ?? this.#meanRunMs;
      const inLine = this.#inLine(call, key, holder, holders.length);
      // Before anything is known a load is taken to cost as much as one call that runs.
      if (loadMs !== undefined && runMs !== undefined)
        least = Math.min(least, (inLine * runMs) / Math.max(1, holder.channel.ongoing));
      else if (inLine <= 1) least = 0;
    }
    const waitedMs = call.queuedAt === 0 ? 0 : at - call.queuedAt;
    return Math.max(least, waitedMs);
  }

  /** Cost of a load at a replica. */
  ofLoad(endpoint: Endpoint, loadMs: number = UNKNOWN_LOAD_MS): number {
    const isEvicting = endpoint.channel.models.stalestAt !== 0;
    const loads = isEvicting ? LOADS_WITH_EVICTION : 1;
    return loads * loadMs + WAITS * (this.#waitMs.get(endpoint) ?? 0);
  }

  /**
   * Calls that wait for the models of a replica, this one included; calls for its own model are divided among all
   * holders.
   */
  #inLine({ queuedAt, priorityRank }: Call, key: number, { channel }: Endpoint, holders: number): number {
    const own = this.#waiting.count(key, priorityRank) + (queuedAt === 0 ? 1 : 0);
    let inLine = own / holders;
    for (let index = 0, other = channel.models.at(0); other !== undefined; other = channel.models.at(++index))
      if (other !== key) inLine += this.#waiting.count(other, priorityRank);
    return inLine;
  }
}

function towards(ms: number, mean: number, weight: number): number {
  return mean + weight * (ms - mean);
}
