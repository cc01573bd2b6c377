import { type Ends, MIB, type Small } from '../threads/work.ts';

export { type Ends, MIB, type Small };

/** Chunks of one stream. */
export const CHUNKS = 200;

/** What the contenders send that have one function at the other end. */
export type Request = Small | { readonly bytes: Uint8Array };

/** Async, as the methods of a deployment are. */
export async function work(request: Request): Promise<Small | Ends> {
  return 'x' in request ? request : measure(request.bytes);
}

/** Touches the payload at both ends, so that it must really be there, and answers with little. */
export function measure(bytes: Uint8Array): Ends {
  return { ends: (bytes[0] ?? 0) + (bytes.at(-1) ?? 0) + bytes.length };
}
