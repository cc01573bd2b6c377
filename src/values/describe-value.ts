import { peek } from '../validation/peek.ts';

/** Describes any value in a few words, even one that cannot be read. Never throws. */
export function describe(value: unknown): string {
  try {
    if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`;
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
