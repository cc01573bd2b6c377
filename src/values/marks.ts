import { peek } from '../validation/peek.ts';

/**
 * Values that structured clone would mangle travel as a plain stand-in plus a mark. Identity survives a clone, so a message
 * carries the list of its stand-ins, and the receiver replaces exactly those objects: no key is reserved, and nothing needs
 * escaping.
 */
export const MARK = {
  buffer: 0,
  error: 1,
  handle: 2,
  request: 3,
  /** Has no stand-in: an object occurs twice in the value. A codec that writes bytes keeps identities only then. */
  shared: 4,
} as const;
export type MarkKind = (typeof MARK)[keyof typeof MARK];

/** A flat list of pairs: stand-in, kind, stand-in, kind, … */
export type Marks = unknown[];

/** Whether an object occurs twice in the value, perhaps inside itself. */
export function hasShared(marks: Marks): boolean {
  for (let index = 1; index < marks.length; index += 2) if (marks[index] === MARK.shared) return true;
  return false;
}

/** The marks of a value in which an object occurs twice; it is marked once. */
export function markShared(marks: Marks = []): Marks {
  if (!hasShared(marks)) marks.push(undefined, MARK.shared);
  return marks;
}

/**
 * The key of a method by which an object says how it crosses to another thread: the method returns the object's stand-in, or
 * undefined if the object is sent as it is. Only instances of classes are asked; plain objects are always plain data.
 */
export const PORTABLE: unique symbol = Symbol.for('inserve.portable');

export interface Portable {
  /** `bytes` is the approximate size of the stand-in, given only if it is large. */
  [PORTABLE](): { kind: MarkKind; data: object; bytes?: number } | undefined;
}

export function isPortable(value: object): value is Portable {
  return typeof peek(value, PORTABLE) === 'function';
}
