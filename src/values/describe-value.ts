import { inspect } from 'node:util';
import { isPlainObject } from '../validation/fields.ts';
import { peek } from '../validation/peek.ts';

const PLAIN = { depth: 0, breakLength: Infinity, maxStringLength: 80, customInspect: false } as const;
/** Longest description of an object, in characters. */
const MAX_LENGTH = 200;

/** Describes any value in a few words, even one that cannot be read. Never throws. */
export function describe(value: unknown): string {
  try {
    if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`;
    if (isPlainObject(value)) return inspect(value, PLAIN).slice(0, MAX_LENGTH);
    return String(value);
  } catch {
    return `an unreadable ${typeof value}`;
  }
}

/** The message of an error, or a description of anything else that was thrown. Never throws. */
export function messageOf(error: unknown): string {
  const message = typeof error === 'object' ? peek(error, 'message') : undefined;
  return typeof message === 'string' ? message : describe(error);
}
