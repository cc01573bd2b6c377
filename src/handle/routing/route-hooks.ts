import type { Call } from '../call/call.ts';
import type { Route } from './route.ts';

/** What the route tells its router. */
export interface RouteHooks {
  /** It has calls that wait, or that may have to move: `tend` is to be called every so often while it is busy. */
  onBusy(route: Route): void;
  /** A response failed and nobody looked at it. */
  onUnobserved(error: unknown, call: Call): void;
}
