import type { Call } from '../call/call.ts';

/** A route that is looked after while calls wait there, or may have to move. */
export interface TendedRoute {
  /** `tend` is called every so often. */
  isTended: boolean;
  readonly isBusy: boolean;
  tend(at: number): void;
}

/** What the route tells its router. */
export interface RouteHooks {
  /** It has calls that wait, or that may have to move: `tend` is to be called every so often while it is busy. */
  onBusy(route: TendedRoute): void;
  /** A response failed, and nothing observed it. */
  onUnobserved(error: unknown, call: Call): void;
}
