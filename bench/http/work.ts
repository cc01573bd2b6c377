/** What the routes do, the same code for every implementation: as a handler, in a replica, in a pool's worker. */

export const JSON_RESULT = { ok: true };
export const ECHO_BYTES = 10_240;
/** 1 MB, within the default `bodyLimit` of 1 MiB. */
export const UPLOAD_BYTES = 1_000_000;
export const CHUNKS = 1_000;
const CHUNK = 'x'.repeat(32);
export const STREAM_BYTES = CHUNKS * CHUNK.length;
/** With the framing of a chunked body: its length in hexadecimal, and two line ends. */
export const CHUNK_WIRE_BYTES = CHUNK.length + CHUNK.length.toString(16).length + 4;
/** How long a call of the CPU-heavy route computes. */
export const BUSY_MS = 5;
/** Where it computes in a thread of its own: the other core is left to the rest. */
export const BUSY_CORE = 1;
export const REST_CORE = 0;

export function size(body: Uint8Array): { bytes: number } {
  return { bytes: body.byteLength };
}

export async function* chunks(): AsyncGenerator<string> {
  for (let index = 0; index < CHUNKS; index++) yield CHUNK;
}

/** Keeps its thread busy, as a model would. */
export function compute(): { ok: boolean } {
  for (const end = performance.now() + BUSY_MS; performance.now() < end; );
  return JSON_RESULT;
}
