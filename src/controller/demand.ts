import { LoadWindow } from './load-window.ts';

/** A reading of the calls of a deployment. */
export interface LoadSample {
  readonly at: number;
  /** Running replicas, for the decision. */
  readonly running: number;
  /** Calls that wait. */
  readonly queued: number;
  /** Calls that hold a place at a running replica. */
  readonly ongoing: number;
  /** Number of calls that have ended in total. */
  readonly ended: number;
}

/** Minimum number of ended calls for an estimate of the pace. */
const LEAST_ENDED = 10;
/** Period over which the length of the queue counts as well, in ms. */
const LATELY_MS = 500;

/** The calls of a deployment over the last periods: waiting, running, arriving and ending. */
export class Demand {
  readonly #queued: LoadWindow;
  readonly #ongoing: LoadWindow;
  readonly #ended: LoadWindow;
  readonly #running: LoadWindow;
  /** Most replicas that had a call at the same time. */
  readonly #busy: LoadWindow;

  /** @param keepMs the longest period that can be queried */
  constructor(keepMs: number) {
    this.#queued = new LoadWindow(keepMs);
    this.#ongoing = new LoadWindow(keepMs);
    this.#ended = new LoadWindow(keepMs);
    this.#running = new LoadWindow(keepMs);
    this.#busy = new LoadWindow(keepMs);
  }

  record({ at, running, queued, ongoing, ended }: LoadSample): void {
    this.#queued.record(at, queued);
    this.#ongoing.record(at, ongoing);
    this.#ended.record(at, ended);
    this.#busy.record(at, Math.min(running, ongoing));
    // Without a replica the load is a cold start and no panic: the first running replica is the measure of the load.
    if (running > 0) this.#running.record(at, running);
  }

  /** Mean number of waiting and running calls. Calls that no longer wait need no further replica. */
  load(at: number, periodMs: number): number {
    const queued = Math.min(this.#queued.mean(at, periodMs), this.#queued.mean(at, LATELY_MS));
    return queued + this.#ongoing.mean(at, periodMs);
  }

  /** Number of calls that ended. */
  endedIn(at: number, periodMs: number): number {
    return this.#ended.latest - this.#ended.valueAt(at - periodMs);
  }

  /** The fewest replicas that ran at once. */
  leastRunning(at: number, periodMs: number): number {
    return this.#running.least(at, periodMs);
  }

  /**
   * The load without the calls that wait only for want of replicas: these pile up while further replicas start, and would
   * look like a lasting load. The result is the higher of
   *
   * - the calls that would run at once if as many ended as arrive (Little's law: the time of each call is the mean number
   *   of running calls over the rate at which calls end), and
   * - `perReplica` calls for each replica needed to finish, within the period, all calls that arrive in it or wait,
   *   at the pace of the busy replicas.
   *
   * @param perReplica `targetOngoingRequests`
   */
  arriving(at: number, periodMs: number, perReplica: number): number {
    const all = this.#queued.mean(at, periodMs) + this.#ongoing.mean(at, periodMs);
    const since = at - periodMs;
    const ended = this.endedIn(at, periodMs);
    if (ended < LEAST_ENDED) return all;
    const queued = this.#queued.latest;
    const before = this.#queued.valueAt(since) + this.#ongoing.valueAt(since);
    const arrived = ended + queued + this.#ongoing.latest - before;
    const atATime = (arrived / ended) * this.#ongoing.mean(at, periodMs);
    const replicas = ((arrived + queued) / ended) * this.#busy.mean(at, periodMs);
    return Math.min(all, Math.max(atATime, replicas * perReplica));
  }
}
