import { RunTimes } from './run-times.ts';

/** Duration in ms below which only one call in `SAMPLED` is observed: a hundred thousand of them may run per second. */
const SHORT_MS = 1;
const SAMPLED = 16;

/** The run times of a deployment's methods. */
export class MethodTimes {
  readonly #times = new Map<string, RunTimes>();
  #short = 0;

  /**
   * Records the run time of a call.
   * @param at when the call ended or was given up
   * @param hasEnded false: the call was given up
   */
  observe(method: string, ms: number, at: number, hasEnded = true): void {
    if (ms >= SHORT_MS) this.#add(method, ms, at, hasEnded, 1);
    else if (++this.#short % SAMPLED === 0) this.#add(method, ms, at, hasEnded, SAMPLED);
  }

  /** Returns the run times of a method; undefined while they are unknown. */
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
