import { inspect } from 'node:util';

/** Longer arrays are searched for named properties by comparing their description with that of an array without any. */
const LONG_ARRAY = 64;

/** Options that describe the number of items, and each named property. */
const NAMES_ONLY = { maxArrayLength: 0, depth: 0, customInspect: false };

/** Length beyond twice the number of members from which an array counts as sparse. */
const FREE_HOLES = 1_000;

const { includes } = Array.prototype;

/**
 * The number of members of an array that is too sparse to be walked item by item; undefined for every other array.
 *
 * `includes` treats a hole as `undefined`: it scans a dense array at 0.5 ns per item and stops at the first hole of a sparse
 * one. Counting the members costs 60 ns each, so it is done only when there is a hole.
 */
export function membersOfSparse(value: unknown[]): number | undefined {
  const { length } = value;
  if (length <= FREE_HOLES || !includes.call(value, undefined)) return undefined;
  const members = Object.keys(value).length;
  return length > 2 * members + FREE_HOLES ? members : undefined;
}

/**
 * Whether an array may have properties that are not items; false is certain.
 *
 * `inspect` lists such properties in a time that does not grow with the items (0.5 µs); `Object.keys` takes 60 ns per item, a
 * comparison with a copy 3 ns. A description of an unexpected form counts as "may have".
 */
export function mayHaveNames(value: readonly unknown[]): boolean {
  const { length } = value;
  if (length > LONG_ARRAY) return inspect(value, NAMES_ONLY) !== `[ ... ${length} more items ]`;
  const keys = Object.keys(value);
  // Keys of items come first, so a named property is the last key even when a hole makes the counts equal.
  return keys.length !== length || (length > 0 && keys[length - 1] !== `${length - 1}`);
}
