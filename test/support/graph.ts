import { isDeepStrictEqual } from 'node:util';

/**
 * Whether two values are the same graph: equal all the way down, and where one holds an object twice (or in a cycle), so
 * does the other. Leaves are compared by `isDeepStrictEqual`, which itself knows nothing of sharing, and overflows on an
 * error that is its own cause (Node 24.21).
 */
export function isSameGraph(a: unknown, b: unknown): boolean {
  const there = new Map<object, object>();
  const back = new Map<object, object>();
  const walk = (x: unknown, y: unknown): boolean => {
    if (typeof x !== 'object' || x === null || typeof y !== 'object' || y === null) return Object.is(x, y);
    if (there.has(x) || back.has(y)) return there.get(x) === y && back.get(y) === x;
    there.set(x, y);
    back.set(y, x);
    if (Object.getPrototypeOf(x) !== Object.getPrototypeOf(y)) return false;
    const inside = membersOf(x);
    if (inside === undefined) return isDeepStrictEqual(x, y);
    const other = membersOf(y) ?? [];
    return inside.length === other.length && inside.every((item, index) => walk(item, other[index]));
  };
  return walk(a, b);
}

/** Names and values in turn of what a container holds; undefined for what is none. */
function membersOf(value: object): unknown[] | undefined {
  const own = Object.keys(value).flatMap((key) => [key, Reflect.get(value, key)]);
  if (Array.isArray(value)) return [value.length, ...own];
  if (value instanceof Map) return [...own, ...[...value].flat()];
  if (value instanceof Set) return [...own, ...value];
  if (value instanceof Error)
    return [value.name, value.message, value.stack, ...own, ...nonEnumerable(value)];
  return Object.getPrototypeOf(value) === Object.prototype ? own : undefined;
}

function nonEnumerable(error: Error): unknown[] {
  const cause = Object.hasOwn(error, 'cause') ? ['cause', error.cause] : [];
  return error instanceof AggregateError ? [...cause, ...error.errors] : cause;
}
