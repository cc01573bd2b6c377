import { peek } from '../validation/peek.ts';

/**
 * Whether what was thrown is an answer to the caller rather than a failure of the code: it has a `statusCode` below 500, or
 * says `expose: true`.
 */
export function isExpectedError(error: unknown): boolean {
  const status = peek(error, 'statusCode');
  return (typeof status === 'number' && status < 500) || peek(error, 'expose') === true;
}
