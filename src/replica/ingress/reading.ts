import { badRequest } from '../../input/bad-request.ts';

/**
 * Prevents an unhandled rejection if a body breaks off while user code does other work and awaits the promise later: it would
 * end the replica, and any client could cause it.
 */
export function quiet<T>(reading: Promise<T>): Promise<T> {
  reading.catch(() => {});
  return reading;
}

/** Reads a form. A body that is not a form is the client's fault. */
export async function readForm(
  request: Pick<Request, 'bodyUsed' | 'body'>,
  read: () => Promise<FormData>,
): Promise<FormData> {
  if (request.bodyUsed || request.body?.locked === true) return read();
  try {
    return await read();
  } catch (cause) {
    // Any other error says why the body could not be read.
    if (!(cause instanceof TypeError)) throw cause;
    throw badRequest('the body is not valid form data', { cause });
  }
}
