import { RunTimes } from './run-times.ts';

/** One in `SAMPLED` calls shorter than this is observed: there may be a hundred thousand of them a second. */
const SHORT_MS = 1;
const SAMPLED = 16;

/** How long the methods of a deployment run. */
export class MethodTimes {
  readonly #times = new Map<string, RunTimes>();
  #short = 0;

  /**
   * A call ran for so long.
   * @param at when it ended, or was given up
   * @param hasEnded false: it was given up
   */
  observe(method: string, ms: number, at: number, hasEnded = true): void {
    if (ms >= SHORT_MS) this.#add(method, ms, at, hasEnded, 1);
    else if (++this.#short % SAMPLED === 0) this.#add(method, ms, at, hasEnded, SAMPLED);
  }

  /** Undefined while nothing is known. */
  of(method: string): RunTimes | undefined {
    return this.#times.get(method);
  }

  #add(method: string, ms: number, at: number, hasEnded: boolean, weight: number): void {
    let times = this.#times.get(method);
    if (times === undefined) {
      times = new RunTimes();
      this.#times.set(method, times);
    }
    times.observe(ms, at, hasEnded, weight);
  }
}
