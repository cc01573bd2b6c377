import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { invalidOption } from '../errors.ts';

const KEY_BYTES = 32;
const ID_BYTES = 8;
const MIN_SECRET_BYTES = 32;

/** The keys that are derived from one secret of a fleet, each for one purpose. */
export interface LinkKeys {
  /** Public id of the key, which reveals nothing about the secret: 16 hexadecimal digits. */
  readonly id: string;
  /** The external pre-shared key of TLS 1.3. */
  readonly preShared: Buffer;
  /** Key that proves the knowledge of the secret where TLS does not. */
  readonly proof: Buffer;
}

/**
 * HKDF (RFC 5869, SHA-256) of the secret, with the name of the fleet as the salt.
 * @throws ServeError `SERVE_INVALID_OPTION` for a secret of less than 32 bytes
 */
export function linkKeys(secret: string, fleet: string): LinkKeys {
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES)
    throw invalidOption(
      'fleet.secret',
      `${Buffer.byteLength(secret)} bytes`,
      `at least ${MIN_SECRET_BYTES} bytes`,
    );
  const derive = (info: string, bytes: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, fleet, info, bytes));
  return {
    id: derive('inserve/1 key id', ID_BYTES).toString('hex'),
    preShared: derive('inserve/1 link', KEY_BYTES),
    proof: derive('inserve/1 proof', KEY_BYTES),
  };
}

/** HMAC-SHA256 over parts, each behind its length, so that no two lists of parts give the same bytes. */
export function proofOf(key: Buffer, parts: readonly string[]): string {
  const hmac = createHmac('sha256', key);
  for (const part of parts) {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hmac.update(length).update(bytes);
  }
  return hmac.digest('hex');
}

/** Compares two proofs in a time that is independent of where they differ, also for texts of unequal length. */
export function isSameProof(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
