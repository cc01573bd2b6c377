import type { LinkEnd } from '../../node/events.ts';

/** Reason for which a peer could not be dialled. */
export function causeOf(error: Error): LinkEnd {
  // The dialer's error has that of the socket as its cause.
  const isRefusal = [error, error.cause].some(
    (one) => one instanceof Error && Reflect.get(one, 'code') === 'ECONNREFUSED',
  );
  return isRefusal ? 'refused' : 'timeout';
}
