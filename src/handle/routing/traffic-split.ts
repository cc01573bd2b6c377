import type { Call } from '../call/call.ts';

/** A trial of a new version beside an app, which takes a share of its calls or a copy of each. */
export interface TrafficSplitConfig {
  readonly kind: 'canary' | 'shadow';
  /** The app that the new version runs as. */
  readonly app: string;
  /** Share of the calls, 0…1; always 1 for a shadow. */
  readonly share: number;
  readonly seed: number;
}

/** Diverts or copies calls of a route. */
export interface TrafficSplit<R> {
  /** Returns the route that a call takes instead; undefined: the call stays on its route. */
  divert(call: Call): R | undefined;
}
