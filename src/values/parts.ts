import { types } from 'node:util';
import { isPlainObject } from '../validation/fields.ts';
import { peek } from '../validation/peek.ts';
import { membersOfSparse } from './array-members.ts';
import { isBuiltIn } from './kinds.ts';

/** One member of a container: its values, its name in a path, and how it is put into the copy. */
interface Part {
  readonly name: string | number;
  readonly values: readonly unknown[];
  put(taken: readonly unknown[]): void;
}

/** A container that is taken member by member, so that a member that cannot cross may be left out. */
export interface Parts {
  readonly copy: object;
  readonly members: Iterable<Part>;
}

/** The members of a container; undefined for any other value. An item of an array that is left out leaves a hole. */
export function partsOf(value: object): Parts | undefined {
  if (types.isProxy(value)) return undefined;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (types.isMap(value)) return isBuiltIn(prototype, Map) ? partsOfMap(value) : undefined;
  if (types.isSet(value)) return isBuiltIn(prototype, Set) ? partsOfSet(value) : undefined;
  if (Array.isArray(value)) {
    const isArray = isBuiltIn(prototype, Array) && membersOfSparse(value) === undefined;
    return isArray ? ownParts(value, new Array(value.length)) : undefined;
  }
  return isPlainObject(value) ? ownParts(value, {}) : undefined;
}

function ownParts(value: object, copy: object): Parts {
  const members = Object.keys(value).map((key): Part => {
    const index = Number(key);
    return {
      name: Array.isArray(copy) && String(index) === key ? index : key,
      // A getter that throws counts as `undefined`.
      values: [peek(value, key)],
      // Defined, not assigned: `__proto__` may be an ordinary key.
      put: ([taken]) =>
        Object.defineProperty(copy, key, {
          value: taken,
          writable: true,
          enumerable: true,
          configurable: true,
        }),
    };
  });
  return { copy, members };
}

function partsOfMap(value: Map<unknown, unknown>): Parts {
  const copy = new Map<unknown, unknown>();
  const members = Array.from(
    value,
    ([key, item]): Part => ({
      name: typeof key === 'string' ? key : '<key>',
      values: [key, item],
      put: ([takenKey, taken]) => copy.set(takenKey, taken),
    }),
  );
  return { copy, members };
}

function partsOfSet(value: Set<unknown>): Parts {
  const copy = new Set<unknown>();
  const members = Array.from(
    value,
    (item): Part => ({
      name: '<item>',
      values: [item],
      put: ([taken]) => copy.add(taken),
    }),
  );
  return { copy, members };
}
