import { peek } from '../validation/peek.ts';

/**
 * Whether a thrown value is an answer to the caller rather than a failure of the code: it has a `statusCode` below 500 or
 * `expose: true`.
 */
export function isExpectedError(error: unknown): boolean {
  const status = peek(error, 'statusCode');
  return (typeof status === 'number' && status < 500) || peek(error, 'expose') === true;
}
