import { badRequest } from '../../input/bad-request.ts';

/**
 * A body that breaks off while user code does something else, and looks at the promise later, is no unhandled rejection:
 * that would end the replica, and any client could do it.
 */
export function quiet<T>(reading: Promise<T>): Promise<T> {
  reading.catch(() => {});
  return reading;
}

/** A form of a client's: one that is none is the client's mistake. */
export async function readForm(
  request: Pick<Request, 'bodyUsed' | 'body'>,
  read: () => Promise<FormData>,
): Promise<FormData> {
  if (request.bodyUsed || request.body?.locked === true) return read();
  try {
    return await read();
  } catch (cause) {
    // Anything else is why the body could not be read.
    if (!(cause instanceof TypeError)) throw cause;
    throw badRequest('the body is not valid form data', { cause });
  }
}
