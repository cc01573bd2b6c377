import { now } from '../../time/clock.ts';
import type { Route } from './route.ts';

/** Minimum time between two looks for the route, in ms: each is a subscription. */
const LOOK_MS = 100;

/** The route to the app of a trial, which may be deleted and deployed again while the trial lasts. */
export class TrialRoute {
  readonly #find: () => Route;
  #route: Route;
  #foundAt: number;

  /** @param find subscribes to the app */
  constructor(find: () => Route) {
    this.#find = find;
    this.#route = find();
    this.#foundAt = now();
  }

  get current(): Route {
    if (this.#route.isGone && now() - this.#foundAt >= LOOK_MS) {
      this.#route = this.#find();
      this.#foundAt = now();
    }
    return this.#route;
  }
}
