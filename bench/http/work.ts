import { setTimeout } from 'node:timers/promises';

/** What the routes do, the same code for every implementation: as a handler, in a replica, in a pool's worker. */

export const JSON_RESULT = { ok: true };
export const ECHO_BYTES = 10_240;
/** 1 MB, within the default `bodyLimit` of 1 MiB. */
export const UPLOAD_BYTES = 1_000_000;
export const CHUNKS = 1_000;
const CHUNK = 'x'.repeat(32);
export const STREAM_BYTES = CHUNKS * CHUNK.length;
/** A short answer of a language model: its tokens, which are there at once or one per tick of a timer. */
export const TOKENS = 50;
const TOKEN = 't'.repeat(20);
export const TOKENS_BYTES = TOKENS * TOKEN.length;
/** As server-sent events: `data: `, the token, and an empty line. */
export const EVENTS_BYTES = TOKENS * (TOKEN.length + 8);
const TICK_MS = 1;
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

/** All at once: nothing is awaited between two of them. */
export async function* tokens(): AsyncGenerator<string> {
  for (let index = 0; index < TOKENS; index++) yield TOKEN;
}

/** One per tick of a timer. */
export async function* tickedTokens(): AsyncGenerator<string> {
  for (let index = 0; index < TOKENS; index++) {
    await setTimeout(TICK_MS);
    yield TOKEN;
  }
}

/** Keeps its thread busy, as a model would. */
export function compute(): { ok: boolean } {
  for (const end = performance.now() + BUSY_MS; performance.now() < end; );
  return JSON_RESULT;
}
