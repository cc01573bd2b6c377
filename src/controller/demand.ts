import { LoadWindow } from './load-window.ts';

/** What is seen of a deployment at one time. */
export interface LoadSample {
  readonly at: number;
  /** Running replicas, for the decision. */
  readonly running: number;
  /** Calls that wait. */
  readonly queued: number;
  /** Calls that hold a place at a running replica. */
  readonly ongoing: number;
  /** Calls that have ended, ever. */
  readonly ended: number;
}

/** Fewer calls than this say little about how fast calls end. */
const LEAST_ENDED = 10;
/** Of the queue it also counts how long it was in the last so many ms. */
const LATELY_MS = 500;

/** The calls of a deployment over the last while: those that wait and run, those that come and those that end. */
export class Demand {
  readonly #queued: LoadWindow;
  readonly #ongoing: LoadWindow;
  readonly #ended: LoadWindow;
  readonly #running: LoadWindow;
  /** Replicas with at least one call, at most. */
  readonly #busy: LoadWindow;

  /** @param keepMs the longest period that will be asked for */
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
    // Without any replica it is a cold start, not a panic: the first one that runs is what the load is compared with.
    if (running > 0) this.#running.record(at, running);
  }

  /** Calls that wait or run, on average. Those that waited, and do not wait any more, need no further replica. */
  load(at: number, periodMs: number): number {
    const queued = Math.min(this.#queued.mean(at, periodMs), this.#queued.mean(at, LATELY_MS));
    return queued + this.#ongoing.mean(at, periodMs);
  }

  /** Calls that ended. */
  endedIn(at: number, periodMs: number): number {
    return this.#ended.latest - this.#ended.valueAt(at - periodMs);
  }

  /** The fewest replicas that ran at a time. */
  leastRunning(at: number, periodMs: number): number {
    return this.#running.least(at, periodMs);
  }

  /**
   * The load without the calls that wait only because there are too few replicas now: they pile up for as long as further
   * ones take to start, and would be taken for a load that stays. It is the higher of
   *
   * - the calls that would run at a time if as many ended as come (Little's law: the time that each takes is the mean of
   *   the running ones over the rate at which they end), and
   * - `perReplica` calls for each replica that it takes to end within the period all that comes in it and all that waits,
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
