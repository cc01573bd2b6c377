/**
 * Functions that read values of user code. A getter, a trap of a Proxy or a revoked Proxy may throw whenever it is read; the
 * exception would be raised outside the call that the value belongs to, so none of these functions throws.
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

/** Like the operator `instanceof`, but false if the prototypes of the value cannot be read. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** The tag of a value, such as `[object Generator]`. */
export function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return 'an unreadable object';
  }
}
