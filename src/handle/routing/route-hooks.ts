import type { Call } from '../call/call.ts';

/** A route that is tended while its calls wait or may have to move. */
export interface TendedRoute {
  /** Whether `tend` is called periodically. */
  isTended: boolean;
  readonly isBusy: boolean;
  tend(at: number): void;
}

/** Notifications from a route to its router. */
export interface RouteHooks {
  /** The route has calls that wait or may have to move: `tend` is to be called periodically while it is busy. */
  onBusy(route: TendedRoute): void;
  /** A response failed unobserved. */
  onUnobserved(error: unknown, call: Call): void;
}
