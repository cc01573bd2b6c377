import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Bytes of a seal, which stand before the payload. */
const SEAL_BYTES = 32;
/** Minimum length of a secret; a shorter secret could be guessed. */
const MIN_SECRET_BYTES = 32;

/**
 * Seals a fleet's documents in its store: HMAC-SHA256 over the length-prefixed name of the key, a number and the
 * payload, with a key derived from the secret. A writer to the store who does not know the secret cannot make a
 * document, move a document to another key or change its number.
 */
export class Seal {
  readonly #keys: readonly Buffer[];

  /** @param secrets the first secret seals, all are accepted, so that a secret can be replaced without a stop */
  constructor(secrets: readonly string[]) {
    if (secrets.length === 0 || secrets.some((secret) => Buffer.byteLength(secret) < MIN_SECRET_BYTES))
      throw new RangeError(`the secret of a fleet must have at least ${MIN_SECRET_BYTES} bytes`);
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'inserve/1 redis', 32)));
  }

  /** @param number generation of the overrides, number of the plan, 0 for documents without a number */
  seal(name: string, number: number, payload: Uint8Array): Uint8Array {
    return Buffer.concat([mac(this.#keys[0] as Buffer, name, number, payload), payload]);
  }

  /** Returns the payload; undefined if it was not sealed with the secret for that name and number. */
  open(name: string, number: number, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < SEAL_BYTES) return undefined;
    const found = sealed.subarray(0, SEAL_BYTES);
    const payload = sealed.subarray(SEAL_BYTES);
    const isGenuine = this.#keys.some((key) => timingSafeEqual(found, mac(key, name, number, payload)));
    return isGenuine ? payload : undefined;
  }
}

function mac(key: Buffer, name: string, number: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32BE(Buffer.byteLength(name));
  head.writeDoubleBE(number, 4);
  return createHmac('sha256', key).update(head).update(name).update(payload).digest();
}
