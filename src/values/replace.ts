/**
 * Replaces objects within a captured value, whose containers are changed in place.
 *
 * @param others replacements by the object that they replace
 * @returns the root, or the object that has replaced it
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
      // Defined, not assigned: `__proto__` may be an ordinary key.
      if (replaced !== value) Object.defineProperty(container, key, { value: replaced });
    }
  }
}
