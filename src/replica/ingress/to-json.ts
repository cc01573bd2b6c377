import { ServeError } from '../../errors.ts';
import { describe } from '../../values/describe-value.ts';

/**
 * The text of a JSON answer. Typed arrays are written as arrays; `JSON.stringify` alone writes `{"0":1.5,"1":2}`.
 *
 * @throws ServeError `SERVE_NOT_SERIALIZABLE`
 */
export function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = stringify(value);
  } catch (cause) {
    const reason = `the result cannot be sent as JSON: ${describe(cause)}`;
    throw new ServeError('SERVE_NOT_SERIALIZABLE', reason, { cause });
  }
  if (text === undefined)
    throw new ServeError('SERVE_NOT_SERIALIZABLE', `a ${typeof value} cannot be sent as JSON`);
  return text;
}

/** A replacer for every value would take twice the time, so it is used only if the text shows what typed arrays leave. */
function stringify(value: unknown): string | undefined {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // The elements of a `BigInt64Array`, or a bigint, which fails again.
    if (error instanceof TypeError) return JSON.stringify(value, withArrays);
    throw error;
  }
  const mayHaveViews = text?.includes('{"0":') === true || text?.includes('{}') === true;
  return mayHaveViews ? JSON.stringify(value, withArrays) : text;
}

function withArrays(_key: string, value: unknown): unknown {
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return value;
  if (!(value instanceof BigInt64Array || value instanceof BigUint64Array))
    return Array.from(value as unknown as ArrayLike<number>);
  return Array.from(value, (item) => {
    const number = Number(item);
    if (!Number.isSafeInteger(number)) throw new TypeError(`the integer ${item} is beyond ±2^53`);
    return number;
  });
}
