import { invalidOption } from '../../errors.ts';
import { isPlainObject } from '../../validation/fields.ts';

/** The only key of the object that stands for keyword arguments: plain data, so that it crosses threads and instances. */
export const KWARGS_KEY = '@inserve/kwargs';

/**
 * Keyword arguments of Python, as the last argument of `bind()` or `remote()`:
 * `classifier.predict.remote(rows, kwargs({ top: 3 }))`.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if `values` is not a plain object
 */
export function kwargs(values: Readonly<Record<string, unknown>>): never {
  if (!isPlainObject(values)) throw invalidOption('kwargs(values)', values, 'an object of arguments by name');
  // Typed as `never`, so that it fits in place of any parameter.
  return { [KWARGS_KEY]: values } as never;
}

/** Splits a list of arguments into positional and keyword arguments. */
export function splitKwargs(
  args: readonly unknown[],
): [args: readonly unknown[], kwargs: object | undefined] {
  const last = args.at(-1);
  if (!isPlainObject(last) || !Object.hasOwn(last, KWARGS_KEY) || Object.keys(last).length !== 1)
    return [args, undefined];
  return [args.slice(0, -1), last[KWARGS_KEY] as object];
}
