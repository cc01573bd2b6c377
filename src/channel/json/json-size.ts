import { mayHaveNames } from '../../values/array-members.ts';

/** Size from which calls to a process go in parts, in characters, so that they delay no other ones. */
export const MOST_CHARACTERS = 16_384;
const DEEPEST = 64;

/** Characters beside a text, or around a container: quotes or brackets, and a comma or colon. */
const TEXT_BORDERS = 3;
const CONTAINER_BORDERS = 3;
/** The most characters of `false`, `null` or an integer of up to three digits, with a comma. */
const WORD_CHARACTERS = 6;
/** The most characters of an integer that is exact, and of any other number (`-0.0000012345678901234567`), with a comma. */
const LONGEST_INTEGER = 18;
const LONGEST_NUMBER = 26;

/**
 * Returns the rest of a budget of characters after a value. It is less than 0 if the budget is spent, where the walk ends, and if
 * JSON does not keep the value as it is. A value has at most the characters that it is charged for, unless a text has escapes.
 */
export function leftAfter(value: unknown, left: number, depth = 0): number {
  switch (typeof value) {
    case 'string':
      return left - value.length - TEXT_BORDERS;
    case 'number':
      return left - charactersOf(value);
    case 'boolean':
      return left - WORD_CHARACTERS;
    case 'object':
      return value === null ? left - WORD_CHARACTERS : leftAfterObject(value, left, depth + 1);
    default:
      return -1;
  }
}

/** The most characters of a number, with a comma; infinite for a number that JSON does not keep as it is. */
function charactersOf(value: number): number {
  if (!Number.isSafeInteger(value)) return Number.isFinite(value) ? LONGEST_NUMBER : Infinity;
  if (value <= -1_000 || value >= 1_000) return LONGEST_INTEGER;
  return Object.is(value, -0) ? Infinity : WORD_CHARACTERS;
}

function leftAfterObject(value: object, before: number, depth: number): number {
  if (depth > DEEPEST) return -1;
  let left = before - CONTAINER_BORDERS;
  if (Array.isArray(value)) {
    // Each item takes two characters at least.
    if (value.length * 2 > left || mayHaveNames(value)) return -1;
    for (let index = 0; index < value.length && left >= 0; index++)
      left = leftAfter(value[index], left, depth);
    return left;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // Some libraries add functions to Object.prototype.
    if (typeof item === 'function' && !Object.hasOwn(value, key)) continue;
    left = leftAfter(item, left - key.length - TEXT_BORDERS, depth);
    if (left < 0) return -1;
  }
  return left;
}
