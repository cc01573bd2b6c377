/** Finds objects that occur more than once in the values, perhaps inside themselves. */
export function sharedObjects(values: readonly unknown[]): Map<object, number | undefined> {
  const seen = new Set<object>();
  const shared = new Map<object, number | undefined>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (seen.has(value)) {
      shared.set(value, undefined);
      return;
    }
    seen.add(value);
    for (const member of membersOf(value)) visit(member);
  };
  for (const value of values) visit(value);
  return shared;
}

/**
 * Returns the members of a container of a captured value; none for a leaf. Buffers keep their identity by their
 * numbers.
 */
export function membersOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return Object.values(value);
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value) : [];
}
