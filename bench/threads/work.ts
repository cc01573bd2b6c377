/** What every implementation's worker does, so that only the way there and back differs. */
export const MIB = 1 << 20;

export interface Small {
  readonly x: number;
}

export interface Ends {
  readonly ends: number;
}

/** What the implementations that call one function send it; which field is there says what to do. */
export type Payload =
  | Small
  | { readonly bytes: ArrayBuffer | SharedArrayBuffer }
  | { readonly bounce: ArrayBuffer };

/** Touches the payload at both ends, so that it must really be there, and answers with little. */
export function ends(bytes: ArrayBuffer | SharedArrayBuffer): Ends {
  const view = new Uint8Array(bytes);
  return { ends: (view[0] ?? 0) + (view[view.length - 1] ?? 0) + view.length };
}

/** Async, as the methods of a model are. */
export async function work(payload: Payload): Promise<Small | Ends | ArrayBuffer> {
  if ('x' in payload) return payload;
  if ('bytes' in payload) return ends(payload.bytes);
  return payload.bounce;
}
