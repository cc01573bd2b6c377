import { baselineOf, faultOf } from '../../../controller/roll-out.ts';
import { NO_CALLS, type ReplicaTally, type Tally, tallySince } from '../../../load/replica-tally.ts';

/**
 * Watches the calls to an inline deployment on the host's thread. Versions of it never serve side by side, so a new one is
 * compared with the previous one right before: over the last one or two periods of observation.
 */
export class InlineWatch {
  #tally: ReplicaTally | undefined = undefined;
  /** Readings at the start of this period and of the previous one. */
  #earlier: Tally = NO_CALLS;
  #latest: Tally = NO_CALLS;
  #latestAt = 0;
  #trial: { readonly baseline: Tally; readonly until: number } | undefined = undefined;

  /** Another version serves from now on. @param observeMs observation time; 0 = none */
  follow(tally: ReplicaTally, at: number, observeMs: number): void {
    const all = this.#tally?.read();
    this.#trial =
      all === undefined || observeMs === 0
        ? undefined
        : { baseline: baselineOf(tallySince(this.#earlier, all), all), until: at + observeMs };
    this.#tally = tally;
    this.#earlier = NO_CALLS;
    this.#latest = NO_CALLS;
    this.#latestAt = at;
  }

  /** @returns the fault of the serving version while it is watched */
  look(at: number, observeMs: number): string | undefined {
    const tally = this.#tally?.read();
    if (tally === undefined) return undefined;
    if (at - this.#latestAt >= observeMs) {
      this.#earlier = this.#latest;
      this.#latest = tally;
      this.#latestAt = at;
    }
    const trial = this.#trial;
    if (trial === undefined) return undefined;
    const fault = faultOf({ ...tally, deaths: 0 }, { ...trial.baseline, deaths: 0 }, false);
    if (fault !== undefined || at >= trial.until) this.#trial = undefined;
    return fault;
  }
}
