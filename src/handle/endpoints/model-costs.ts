import type { Call } from '../call/call.ts';
import type { Destination } from '../call/destination.ts';
import type { WaitingModels } from '../queue/waiting-models.ts';
import type { Endpoint } from './endpoint.ts';

/** Weight of the newest call in the mean run time of a replica, and in the mean wait for it. */
const NEWEST_RUN = 0.1;
const NEWEST_WAIT = 0.05;
/** A call waits no longer than this for a replica that holds its model while it is not known what a load takes. */
const UNKNOWN_LOAD_MS = 1_000;
/** A load is taken to cost as much at least: a place that was freed is used again after a fraction of a millisecond. */
const LEAST_LOAD_MS = 5;
/** Loads that one is worth which evicts a model: that model has to come back. */
const LOADS_WITH_EVICTION = 2;
/**
 * A load is worth so many mean waits at its replica besides. Waits of calls are spread like an exponential distribution, so
 * fewer than one in 50 is longer by chance: longer ones say that the holder has more to do than the others. Simulated
 * (12 models in 4 × 3 slots, load 0.7): 0 waits → hit rate 0.91 and 504 ms; 3 → 0.986, 78 ms; 5 → 0.988, 79 ms.
 */
const WAITS = 4;

/** What it costs a call to wait for a replica that holds its model, and what to have the model loaded elsewhere, in ms. */
export class ModelCosts {
  readonly #waiting: WaitingModels<Call>;
  /** Mean time for which calls hold a place at a replica that holds their model … */
  readonly #runMs = new WeakMap<Destination, number>();
  /** … and over all replicas. */
  #meanRunMs: number | undefined = undefined;
  /** Mean time for which calls waited for a place at a replica that holds their model. */
  readonly #waitMs = new WeakMap<Destination, number>();

  constructor(waiting: WaitingModels<Call>) {
    this.#waiting = waiting;
  }

  /** A call held its place at a replica with its model for so long. */
  ran(endpoint: Destination, ms: number): void {
    this.#runMs.set(endpoint, towards(ms, this.#runMs.get(endpoint) ?? ms, NEWEST_RUN));
    this.#meanRunMs = towards(ms, this.#meanRunMs ?? ms, NEWEST_RUN);
  }

  /** A call held its place for so long, and its model was loaded meanwhile: a guess while nothing better is known. */
  ranWithLoad(endpoint: Destination, ms: number): void {
    this.#meanRunMs ??= Math.max(0, ms - endpoint.channel.models.loadMs);
  }

  /** A call waited for so long for a place at a replica with its model. */
  waited(endpoint: Endpoint, ms: number): void {
    this.#waitMs.set(endpoint, towards(ms, this.#waitMs.get(endpoint) ?? 0, NEWEST_WAIT));
  }

  /** What a load takes on average; undefined while no replica has loaded a model. */
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
   * What it costs to wait for one of the holders of a model: the time until one has a place, and no less than the call has
   * waited already, as the calls that run there may take longer than they usually do. Infinite where no replica holds it.
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

  /** What a load costs at a replica. */
  ofLoad(endpoint: Endpoint, loadMs: number = UNKNOWN_LOAD_MS): number {
    const isEvicting = endpoint.channel.models.stalestAt !== 0;
    const loads = isEvicting ? LOADS_WITH_EVICTION : 1;
    return loads * loadMs + WAITS * (this.#waitMs.get(endpoint) ?? 0);
  }

  /** Calls that wait for the models of a replica, this one included; those for its model are shared by all holders. */
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
