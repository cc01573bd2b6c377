import { ServeError } from '../errors.ts';

/**
 * Makes a `SERVE_BAD_REQUEST` error whose text the client may read.
 *
 * @param statusCode default 400
 */
export function badRequest(
  detail: string,
  options: { cause?: unknown; statusCode?: number } = {},
): ServeError {
  return new ServeError('SERVE_BAD_REQUEST', detail, { ...options, detail });
}
