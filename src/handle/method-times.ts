import { RunTimes } from './run-times.ts';

/** Calls shorter than this are looked at one in `SAMPLED`: they may come a hundred thousand a second. */
const SHORT_MS = 1;
const SAMPLED = 16;

/** How long the methods of a deployment take, as their caller sees it. */
export class MethodTimes {
  readonly #times = new Map<string, RunTimes>();
  #short = 0;

  /** A call was answered, or given up, so long after it was sent. */
  observe(method: string, ms: number): void {
    if (ms >= SHORT_MS) this.#add(method, ms, 1);
    else if (++this.#short % SAMPLED === 0) this.#add(method, ms, SAMPLED);
  }

  /** Undefined while nothing is known. */
  of(method: string): RunTimes | undefined {
    return this.#times.get(method);
  }

  #add(method: string, ms: number, weight: number): void {
    let times = this.#times.get(method);
    if (times === undefined) {
      times = new RunTimes();
      this.#times.set(method, times);
    }
    times.observe(ms, weight);
  }
}
