import { peek } from '../validation/peek.ts';

/**
 * What structured clone would mangle travels as a plain stand-in plus a mark. Identity survives a clone, so a message
 * carries the list of its stand-ins, and the receiver swaps exactly those objects: no reserved key, nothing to escape.
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

/** Flat pairs: stand-in, kind, stand-in, kind, … */
export type Marks = unknown[];

/** Whether an object occurs twice in the value, perhaps inside itself. */
export function hasShared(marks: Marks): boolean {
  for (let index = 1; index < marks.length; index += 2) if (marks[index] === MARK.shared) return true;
  return false;
}

/** The marks of a value in which an object occurs twice; it is said once. */
export function markShared(marks: Marks = []): Marks {
  if (!hasShared(marks)) marks.push(undefined, MARK.shared);
  return marks;
}

/**
 * An object that knows how to cross a thread: it answers its stand-in, or undefined to be kept as it is. It is an instance
 * of a class (or has another prototype of its own): plain objects are taken as plain data without a look.
 */
export const PORTABLE: unique symbol = Symbol.for('inserve.portable');

export interface Portable {
  /** `bytes`: about how many the stand-in holds, if they are many. */
  [PORTABLE](): { kind: MarkKind; data: object; bytes?: number } | undefined;
}

export function isPortable(value: object): value is Portable {
  return typeof peek(value, PORTABLE) === 'function';
}
