import type { ShedReason } from '../queue/shed-reason.ts';

/** Results of comparing a call with its copy; the `result` label of `serve_shadow_results_total`. */
export const SHADOW_RESULTS = ['match', 'mismatch', 'error', 'dropped'] as const;
export type ShadowResult = (typeof SHADOW_RESULTS)[number];

/** Directions, as seen from the replica: from the client and to it; the `direction` label of the WebSocket metrics. */
export const DIRECTIONS = ['in', 'out'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Events of calls other than their outcome. */
export type Counter =
  | `websocket_messages_${Direction}`
  | `websocket_bytes_${Direction}`
  | `shed_${ShedReason}`
  | `shadow_${ShadowResult}`
  /** Calls that were sent again after a replica died. */
  | 'retries'
  /** Calls that were not sent again because the retry budget was spent. */
  | 'retries_denied'
  /** Calls that were sent to a second replica as well. */
  | 'hedges'
  /** Hedged calls that the second replica answered first. */
  | 'hedges_won'
  /** Calls that got the result of another one with the same idempotency key, running or past. */
  | 'coalesced'
  | 'replayed';

export type Counts = Partial<Record<Counter, number>>;

/** Counts the rare events of calls; a replica's thread ships its new counts to the host. */
export class Counters {
  #counts: Counts = {};

  add(counter: Counter, count = 1): void {
    this.#counts[counter] = (this.#counts[counter] ?? 0) + count;
  }

  merge(other: Counts): void {
    for (const [counter, count] of Object.entries(other) as [Counter, number][])
      this.#counts[counter] = (this.#counts[counter] ?? 0) + count;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** Returns the counts so far and starts again from zero. */
  take(): Counts {
    const counts = this.#counts;
    this.#counts = {};
    return counts;
  }
}
