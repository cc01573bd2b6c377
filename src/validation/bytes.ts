import { invalidOption } from '../errors.ts';
import type { Field } from './fields.ts';

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 };

const ALLOWED = "a number of bytes, or a text like '100kb', '1mb', '1gb'";

/** A size as body parsers write it; its value is in bytes. */
export const bytes: Field<number> = {
  allowed: ALLOWED,
  parse(value, option) {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)$/i.exec(value) : null;
    if (match === null) throw invalidOption(option, value, ALLOWED);
    return Math.floor(Number(match[1]) * (UNITS[(match[2] as string).toLowerCase()] as number));
  },
};
