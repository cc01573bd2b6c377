import { MIB } from '../validation/bytes.ts';
import { sha256 } from './sha256.ts';

/** A value that may be too large to be hashed at once: memory, a long string, or a `Blob`, whose bytes are elsewhere. */
export type Bulk = ArrayBuffer | ArrayBufferView | string | Blob;

/** Size of the chunks that are hashed in one go, which takes a millisecond (100 MB take 88 ms). */
const CHUNK_BYTES = MIB;

/** Smaller values are hashed on this thread, because handing them to another one costs more. */
const SMALL_BYTES = 1_024;

/** A string is hashed as UTF-16, which distinguishes all strings, lone surrogates included. */
const BYTES_PER_CHARACTER = 2;

export function bytesOf(bulk: Bulk): number {
  if (typeof bulk === 'string') return bulk.length * BYTES_PER_CHARACTER;
  return bulk instanceof Blob ? bulk.size : bulk.byteLength;
}

/** Hashes on this thread. */
export function hashNow(bulk: Exclude<Bulk, Blob>): string {
  return combined(Array.from(chunks(bulk), (chunk) => sha256(chunk as Uint8Array)));
}

/** Hashes on another thread, chunk by chunk; this thread only copies each chunk. The result equals that of `hashNow`. */
export async function hashElsewhere(bulk: Bulk): Promise<string> {
  if (!(bulk instanceof Blob) && bytesOf(bulk) < SMALL_BYTES) return hashNow(bulk);
  const hashes: string[] = [];
  for (const chunk of chunks(bulk)) {
    const digest = await crypto.subtle.digest('SHA-256', await chunk);
    hashes.push(Buffer.from(digest).toString('hex'));
  }
  return combined(hashes);
}

function combined(hashes: readonly string[]): string {
  return hashes.length === 1 && hashes[0] !== undefined ? hashes[0] : sha256(hashes.join());
}

function* chunks(bulk: Bulk): Generator<Uint8Array<ArrayBuffer> | Promise<ArrayBuffer>> {
  const bytes = bytesOf(bulk);
  for (let at = 0; at < bytes; at += CHUNK_BYTES) yield chunkAt(bulk, at, Math.min(at + CHUNK_BYTES, bytes));
}

function chunkAt(bulk: Bulk, start: number, end: number): Uint8Array<ArrayBuffer> | Promise<ArrayBuffer> {
  if (typeof bulk === 'string')
    return Buffer.from(bulk.slice(start / BYTES_PER_CHARACTER, end / BYTES_PER_CHARACTER), 'utf16le');
  if (bulk instanceof Blob) return bulk.slice(start, end).arrayBuffer();
  if (!ArrayBuffer.isView(bulk)) return new Uint8Array(bulk, start, end - start);
  return new Uint8Array(bulk.buffer as ArrayBuffer, bulk.byteOffset + start, end - start);
}
