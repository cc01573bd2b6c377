import { unitHash } from '../../load/hash.ts';
import type { Call } from '../call/call.ts';
import type { Route } from './route.ts';
import type { TrafficSplit, TrafficSplitConfig } from './traffic-split.ts';
import type { TrialRoute } from './trial-route.ts';

/** A canary: sends a share of the calls to another app. A session keeps its version while the share is unchanged. */
export class Canary implements TrafficSplit<Route> {
  readonly #trial: TrialRoute;
  readonly #share: number;
  readonly #random: () => number;

  constructor(trial: TrialRoute, { share, seed }: TrafficSplitConfig) {
    this.#trial = trial;
    this.#share = share;
    this.#random = seededRandom(seed);
  }

  divert(call: Call): Route | undefined {
    const sessionId = call.meta?.sessionId;
    const draw = sessionId === undefined ? this.#random() : unitHash(sessionId);
    if (draw >= this.#share) return undefined;
    const route = this.#trial.current;
    if (!route.isOpen) return undefined;
    // A small canary must not make callers wait that are not bound to it by a session.
    return sessionId === undefined && route.queued > 0 ? undefined : route;
  }
}

/** Numbers from 0 to 1, the same for the same seed (Mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
