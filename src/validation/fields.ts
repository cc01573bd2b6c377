import { invalidOption } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * One option of an options object, which is validated by a table of such fields. A schema library is not used because the
 * validation runs at the start of every replica's thread, where it would cost milliseconds, and because all errors have one
 * fixed shape: option, value, allowed.
 */
export interface Field<T> {
  /** Ends the sentence "allowed: …". */
  readonly allowed: string;
  /** Returns the value to use. @throws ServeError `SERVE_INVALID_OPTION` naming `option` */
  parse(value: unknown, option: string): T;
}

export type Fields<T> = { readonly [K in keyof T]-?: Field<NonNullable<T[K]>> };

function field<T>(allowed: string, accepts: (value: unknown) => boolean): Field<T> {
  return {
    allowed,
    parse(value, option) {
      if (!accepts(value)) throw invalidOption(option, value, allowed);
      return value as T;
    },
  };
}

/** The largest count: the library and its dependencies keep counts in words of 32 bits, where a larger one would wrap. */
export const MAX_COUNT = 2_147_483_647;

export function integer(min: number, max: number = MAX_COUNT): Field<number> {
  return field(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

export function number(min: number, max: number = MAX_COUNT): Field<number> {
  return field(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max,
  );
}

/** The longest time of a Node timer, in ms. */
export const MAX_TIMER_MS = 2_147_483_647;

export function milliseconds(min = 0): Field<number> {
  return number(min, MAX_TIMER_MS);
}

export function boolean(): Field<boolean> {
  return field('true or false', (value) => typeof value === 'boolean');
}

export function string(allowed = 'a string that is not empty', pattern = /[\s\S]/): Field<string> {
  return field(allowed, (value) => typeof value === 'string' && pattern.test(value));
}

export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Field<T> {
  const allowed = values.map((value) => JSON.stringify(value)).join(', ');
  return field(allowed, (value) => values.includes(value as T));
}

export function fn<T extends (...args: never[]) => unknown>(): Field<T> {
  return field('a function', (value) => typeof value === 'function');
}

export function instanceOf<T>(name: string, test: (value: unknown) => boolean): Field<T> {
  return field(name, test);
}

/** Accepts a value of either kind. */
export function either<A, B>(a: Field<A>, b: Field<B>): Field<A | B> {
  const allowed = `${a.allowed}, or ${b.allowed}`;
  return {
    allowed,
    parse(value, option) {
      for (const option_ of [a, b]) {
        try {
          return option_.parse(value, option);
        } catch {}
      }
      throw invalidOption(option, value, allowed);
    },
  };
}

export function listOf<T>(item: Field<T>): Field<T[]> {
  const allowed = `an array, each item ${item.allowed}`;
  return {
    allowed,
    parse(value, option) {
      if (!Array.isArray(value) || Object.keys(value).length < value.length)
        throw invalidOption(option, value, allowed);
      return value.map((entry, index) => item.parse(entry, `${option}[${index}]`));
    },
  };
}

export function recordOf<T>(item: Field<T>): Field<Record<string, T>> {
  const allowed = `an object, each value ${item.allowed}`;
  return {
    allowed,
    parse(value, option) {
      if (!isPlainObject(value)) throw invalidOption(option, value, allowed);
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [key, item.parse(entry, `${option}.${key}`)]),
      );
    },
  };
}

export function object<T>(fields: Fields<T>): Field<T> {
  return {
    allowed: `an object with ${Object.keys(fields).join(', ')}`,
    parse: (value, option) => parseOptions(value, fields, option),
  };
}

/** Accepts any value; it is checked elsewhere. */
export function anything<T>(): Field<T> {
  return field('any value', () => true);
}

/**
 * Checks every given option and returns the parsed options in a new object. An `undefined` option counts as not given.
 *
 * @param what the name of the options in an error, such as `deployment` or `run`
 * @throws ServeError `SERVE_INVALID_OPTION` for an unknown key, a wrong type or a value out of range
 */
export function parseOptions<T>(value: unknown, fields: Fields<T>, what: string): T {
  const names = Object.keys(fields);
  if (!isPlainObject(value)) throw invalidOption(what, value, `an object with ${names.join(', ')}`);
  const parsed: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (!Object.hasOwn(fields, name)) {
      throw invalidOption(`${what}.${name}`, item, noSuchOption(name, names));
    }
    if (item !== undefined) parsed[name] = fields[name as keyof T].parse(item, `${what}.${name}`);
  }
  return parsed as T;
}

/** Ends the sentence "allowed: …" for an option that does not exist. @param of names what has no such option */
export function noSuchOption(name: string, names: readonly string[], of: string = ''): string {
  const nearest = nearestName(name, names);
  const guess = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
  return `no such option${of}${guess}; there are ${names.join(', ')}`;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false;
  }
}
