import { invalidOption } from '../errors.ts';
import type { Field } from './fields.ts';

/** A value that JSON can represent: a user config may come from a file. */
export function jsonValue(): Field<unknown> {
  const allowed = 'a JSON value';
  return {
    allowed,
    parse(value, option) {
      const bad = nonJsonIn(value, option);
      if (bad !== undefined) throw invalidOption(bad.path, bad.value, allowed);
      return structuredClone(value);
    },
  };
}

/** The first part that JSON cannot represent; the whole value if its parts cannot be read. */
function nonJsonIn(value: unknown, path: string): { path: string; value: unknown } | undefined {
  try {
    return findNonJson(value, path);
  } catch {
    return { path, value };
  }
}

function findNonJson(value: unknown, path: string, depth = 64): { path: string; value: unknown } | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, value };
  if (typeof value !== 'object' || depth === 0) return { path, value };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return { path, value };
  const entries = Object.entries(value);
  // An array may have neither holes nor named properties.
  if (Array.isArray(value) && entries.length !== value.length) return { path, value };
  for (const [key, item] of entries) {
    const bad = findNonJson(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, depth - 1);
    if (bad !== undefined) return bad;
  }
  return undefined;
}
