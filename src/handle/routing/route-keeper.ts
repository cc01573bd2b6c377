import type { Call } from '../call/call.ts';

/** A route that is tended while its calls wait or may have to move. */
export interface TendedRoute {
  /** Whether `tend` is called periodically. */
  isTended: boolean;
  readonly isBusy: boolean;
  tend(at: number): void;
}

/** Tends busy routes. */
export interface RouteTender {
  /** Calls `tend` of a route periodically while the route is busy. */
  tend(route: TendedRoute): void;
}

/** The router, as its routes address it. */
export interface RouteKeeper extends RouteTender {
  /** A response failed unobserved. */
  unobserved(error: unknown, call: Call): void;
}
