import { MIB } from '../validation/bytes.ts';
import { type Bulk, bytesOf, hashElsewhere, hashNow } from './bulk.ts';
import { CanonicalWriter } from './canonical.ts';
import { identityOf } from './identity.ts';
import type { Marks } from './marks.ts';
import { sha256 } from './sha256.ts';

/** Bytes that are hashed at once, in 3.5 ms; a value with more of them is hashed on another thread. */
const AT_ONCE_BYTES = 4 * MIB;

/** A larger `Blob`, which may be a file, is not read: it is identified by the object itself. */
const MAX_BLOB_BYTES = 64 * MIB;

/** A value, with its marks if it was captured. */
export interface Subject {
  readonly value: unknown;
  readonly marks?: Marks | undefined;
}

/**
 * Hashes the canonical form of a value.
 *
 * @param stable makes a form of the same value that does not change while it is hashed; called only if hashing takes time
 * @returns the hash, or a promise of it if the value holds much memory or a `Blob`
 * @throws the error of a getter of the value, or of reading a `Blob`
 */
export function digest(subject: Subject, stable: () => Subject = () => subject): string | Promise<string> {
  let left = AT_ONCE_BYTES;
  let isComplete = true;
  const text = textOf(subject, (bulk) => {
    if (isItself(bulk)) return itself(bulk);
    left -= bytesOf(bulk);
    if (bulk instanceof Blob || left < 0) isComplete = false;
    return bulk instanceof Blob || left < 0 ? undefined : hashNow(bulk);
  });
  return isComplete ? sha256(text) : digestElsewhere(stable());
}

async function digestElsewhere(subject: Subject): Promise<string> {
  const hashes = new Map<Bulk, string>();
  const open: Bulk[] = [];
  textOf(subject, (bulk) => {
    if (!isItself(bulk)) open.push(bulk);
    return undefined;
  });
  for (const bulk of open) if (!hashes.has(bulk)) hashes.set(bulk, await hashElsewhere(bulk));
  return sha256(textOf(subject, (bulk) => hashes.get(bulk) ?? itself(bulk)));
}

/** Known hashes of memory that never changes. */
const fixed = new WeakMap<object, string>();

/**
 * Hashes the canonical form of a value that never changes, such as bound arguments. A `Blob` is identified by the object
 * itself.
 */
export function digestFixed(value: unknown): string {
  const text = textOf({ value }, (bulk) => {
    if (bulk instanceof Blob) return itself(bulk);
    const hash = knownHash(bulk) ?? hashNow(bulk);
    if (typeof bulk === 'object') fixed.set(bulk, hash);
    return hash;
  });
  return sha256(text);
}

/**
 * Hashes the memory of a value that never changes on another thread, so that `digestFixed` finds the hashes.
 * @returns undefined if there is so little memory that `digestFixed` may hash it itself
 */
export function prepareFixed(value: unknown): Promise<void> | undefined {
  const open: (ArrayBuffer | ArrayBufferView)[] = [];
  let bytes = 0;
  textOf({ value }, (bulk) => {
    if (typeof bulk === 'string' || bulk instanceof Blob || fixed.has(bulk)) return undefined;
    open.push(bulk);
    bytes += bytesOf(bulk);
    return undefined;
  });
  return bytes <= AT_ONCE_BYTES ? undefined : hashAll(open);
}

async function hashAll(open: readonly (ArrayBuffer | ArrayBufferView)[]): Promise<void> {
  for (const bulk of open) fixed.set(bulk, await hashElsewhere(bulk));
}

function knownHash(bulk: Bulk): string | undefined {
  return typeof bulk === 'object' ? fixed.get(bulk) : undefined;
}

function textOf({ value, marks }: Subject, hashOf: (bulk: Bulk) => string | undefined): string {
  return new CanonicalWriter(hashOf, marks).write(value);
}

function isItself(bulk: Bulk): bulk is Blob {
  return bulk instanceof Blob && bulk.size > MAX_BLOB_BYTES;
}

function itself(bulk: Bulk): string {
  return typeof bulk === 'object' ? `itself#${identityOf(bulk)}` : '';
}
