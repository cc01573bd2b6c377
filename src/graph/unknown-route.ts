import { ServeError } from '../errors.ts';

/** The errors of requests for routes that a graph does not have; other errors of this code come from calls that it made. */
const unknownRoutes = new WeakSet<object>();

/** Builds the `SERVE_NOT_FOUND` of a route that a graph does not have. */
export function unknownRoute(route: string, routes: Iterable<string>): ServeError {
  const message = `the graph has no route '${route}'; its routes: ${[...routes].join(', ')}`;
  const error = new ServeError('SERVE_NOT_FOUND', message);
  unknownRoutes.add(error);
  return error;
}

/** Whether a graph that runs in this thread raised the error for a route that it does not have. */
export function isUnknownRoute(error: unknown): boolean {
  return typeof error === 'object' && error !== null && unknownRoutes.has(error);
}
