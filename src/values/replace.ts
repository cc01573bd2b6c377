/**
 * Puts others in the places of objects, in a captured value: its containers are changed in place.
 *
 * @returns the root, or what has taken its place
 */
export function replaceIn(root: unknown, others: ReadonlyMap<unknown, object>): unknown {
  const seen = new Set<object>();
  const other = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const known = others.get(value);
    if (known !== undefined) return known;
    if (!seen.has(value)) {
      seen.add(value);
      replaceMembers(value, other);
    }
    return value;
  };
  return other(root);
}

function replaceMembers(container: object, other: (value: unknown) => unknown): void {
  if (container instanceof Map) {
    const entries = [...container].map(([key, value]) => [other(key), other(value)] as const);
    container.clear();
    for (const [key, value] of entries) container.set(key, value);
  } else if (container instanceof Set) {
    const items = [...container].map(other);
    container.clear();
    for (const item of items) container.add(item);
  } else if (Array.isArray(container) || Object.getPrototypeOf(container) === Object.prototype) {
    for (const key of Object.keys(container)) {
      const value: unknown = Reflect.get(container, key);
      const replaced = other(value);
      // Not assigned: `__proto__` may be a key like any other.
      if (replaced !== value) Object.defineProperty(container, key, { value: replaced });
    }
  }
}
