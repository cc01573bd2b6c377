/**
 * Looks at values of user code. A getter, a trap of a Proxy or a revoked Proxy may throw at any look; an exception here
 * would be raised outside the call that the value belongs to, so each of these functions answers instead.
 */

/** A property of an object or function; undefined for other values and where reading the property throws. */
export function peek(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return undefined;
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined;
  }
}

/** `instanceof`; false where the prototypes of the value cannot be read. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** `[object Generator]` and the like. */
export function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return 'an unreadable object';
  }
}
