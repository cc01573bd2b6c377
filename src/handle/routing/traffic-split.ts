import type { Call } from '../call/call.ts';

/** A new version that is tried beside an app: it takes a share of its calls, or a copy of each. */
export interface DetourConfig {
  readonly kind: 'canary' | 'shadow';
  /** The app that the new version runs as. */
  readonly app: string;
  /** Of the calls, 0…1; of a shadow always 1. */
  readonly share: number;
  readonly seed: number;
}

/** What happens to the calls of a route on their way. */
export interface TrafficSplit<R> {
  /** The route that a call takes instead; undefined: it goes on. */
  divert(call: Call): R | undefined;
}
