import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  type Declaration,
  DOCUMENT_FORMAT,
  type MemberRecord,
  type Overrides,
  type Plan,
} from './documents.ts';
import { TAG_BYTES } from './fleet-store.ts';
import type { FleetKeys } from './redis/keys.ts';
import type { Seal } from './redis/seal.ts';

/** Largest stored value. A longer plan is stored in pages; any other longer document is refused. */
export const MAX_VALUE_BYTES = 64 * 1024;
/** Largest size to which a declaration or a plan may be inflated. */
const MAX_INFLATED_BYTES = 4 * 1024 * 1024;
/** Bytes of a page, which leave room for the seal. */
const PAGE_BYTES = MAX_VALUE_BYTES - 64;

/** Reason for which a stored value is not used. */
export type Unreadable = 'forged' | 'malformed' | 'newer-format';

export type Opened<T> = { readonly document: T; readonly tag: string } | { readonly unreadable: Unreadable };

/** Writes and reads the documents of a fleet: sealed JSON, the large ones deflated. */
export class DocumentCodec {
  readonly #keys: FleetKeys;
  readonly #seal: Seal;

  constructor(keys: FleetKeys, seal: Seal) {
    this.#keys = keys;
    this.#seal = seal;
  }

  sealRecord(record: MemberRecord): Uint8Array {
    return this.#seal.seal(this.#keys.record(record.id), 0, limited(toBytes(record)));
  }

  openRecord(id: string, value: Uint8Array): Opened<MemberRecord> {
    return this.#open(this.#keys.record(id), 0, value, (text) => isRecord(text, id));
  }

  sealDeclaration(hash: string, declaration: Declaration): Uint8Array {
    return this.#seal.seal(this.#keys.declaration(hash), 0, limited(deflateRawSync(toBytes(declaration))));
  }

  openDeclaration(hash: string, value: Uint8Array): Opened<Declaration> {
    return this.#open(this.#keys.declaration(hash), 0, value, isDeclaration, inflate);
  }

  sealOverrides(overrides: Overrides): Uint8Array {
    return this.#seal.seal(this.#keys.overrides, overrides.generation, limited(toBytes(overrides)));
  }

  openOverrides(generation: number, value: Uint8Array): Opened<Overrides> {
    return this.#open(
      this.#keys.overrides,
      generation,
      value,
      (found) => isOverrides(found) && found.generation === generation,
    );
  }

  sealPlan(plan: Plan): Uint8Array[] {
    const bytes = deflateRawSync(toBytes(plan));
    const pages: Uint8Array[] = [];
    for (let from = 0; from === 0 || from < bytes.length; from += PAGE_BYTES) {
      const page = bytes.subarray(from, from + PAGE_BYTES);
      pages.push(this.#seal.seal(this.#keys.plan(pages.length), plan.number, page));
    }
    return pages;
  }

  openPlan(number: number, pages: readonly Uint8Array[]): Opened<Plan> {
    const opened = pages.map((page, index) => this.#seal.open(this.#keys.plan(index), number, page));
    const payloads = opened.filter((payload) => payload !== undefined);
    if (payloads.length < pages.length) return { unreadable: 'forged' };
    const isIt = (found: unknown): found is Plan => isPlan(found) && found.number === number;
    return read(inflate(Buffer.concat(payloads)), tagOf(pages[0] ?? new Uint8Array()), isIt);
  }

  #open<T>(
    name: string,
    number: number,
    value: Uint8Array,
    isIt: (found: unknown) => boolean,
    unfold: (bytes: Uint8Array) => Uint8Array | undefined = (bytes) => bytes,
  ): Opened<T> {
    const payload = this.#seal.open(name, number, value);
    if (payload === undefined) return { unreadable: 'forged' };
    return read(unfold(payload), tagOf(value), (found): found is T => isIt(found));
  }
}

/** Names a declaration by its content. */
export function declarationHash(declaration: Declaration): string {
  return createHash('sha256').update(toBytes(declaration)).digest('hex').slice(0, 16);
}

/** Names the content of a sealed record. */
export function revisionOf(sealed: Uint8Array): string {
  return tagOf(sealed);
}

/** Returns the first bytes of a seal, in hex. */
export function tagOf(sealed: Uint8Array): string {
  return Buffer.from(sealed.subarray(0, TAG_BYTES)).toString('hex');
}

function toBytes(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function limited(bytes: Uint8Array): Uint8Array {
  if (bytes.length > PAGE_BYTES)
    throw new RangeError(`a document of the fleet has ${bytes.length} bytes, more than ${PAGE_BYTES}`);
  return bytes;
}

function inflate(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch {
    return undefined;
  }
}

function read<T>(
  bytes: Uint8Array | undefined,
  tag: string,
  isIt: (found: unknown) => found is T,
): Opened<T> {
  if (bytes === undefined) return { unreadable: 'malformed' };
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return { unreadable: 'malformed' };
  }
  const format = isObject(found) ? found['format'] : undefined;
  if (typeof format !== 'number') return { unreadable: 'malformed' };
  if (format > DOCUMENT_FORMAT) return { unreadable: 'newer-format' };
  return isIt(found) ? { document: found, tag } : { unreadable: 'malformed' };
}

/** The seal vouches for the writer; these guards only tell one kind of document from another. */
function isRecord(found: unknown, id: string): found is MemberRecord {
  return (
    isObject(found) &&
    found['id'] === id &&
    typeof found['epoch'] === 'number' &&
    isObject(found['resources'])
  );
}

function isDeclaration(found: unknown): found is Declaration {
  return isObject(found) && typeof found['codeVersion'] === 'string' && Array.isArray(found['apps']);
}

function isOverrides(found: unknown): found is Overrides {
  return isObject(found) && typeof found['generation'] === 'number' && isObject(found['scales']);
}

function isPlan(found: unknown): found is Plan {
  return (
    isObject(found) &&
    typeof found['token'] === 'number' &&
    isObject(found['counts']) &&
    typeof found['number'] === 'number'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
