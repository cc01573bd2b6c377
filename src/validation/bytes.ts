import { invalidOption } from '../errors.ts';
import type { Field } from './fields.ts';

/** Bytes of a mebibyte, the unit of all options in MB. */
export const MIB = 1_048_576;

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: MIB, gb: 1_024 * MIB };

/** A size in the notation of body parsers. The parsed value is in bytes. @param max in bytes @param min in bytes */
export function bytes(max: number = Number.MAX_SAFE_INTEGER, min = 0): Field<number> {
  const allowed = `a number of bytes ${min === 0 ? 'up to' : `from ${min} to`} ${max}, or a text like '100kb', '1mb', '1gb'`;
  return {
    allowed,
    parse(value, option) {
      const size = typeof value === 'string' ? fromText(value) : value;
      if (typeof size === 'number' && Number.isSafeInteger(size) && size >= min && size <= max) return size;
      throw invalidOption(option, value, allowed);
    },
  };
}

function fromText(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)$/i.exec(text);
  if (match === null) return undefined;
  return Math.floor(Number(match[1]) * (UNITS[(match[2] as string).toLowerCase()] as number));
}
