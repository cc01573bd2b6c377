import { ServeError } from '../../errors.ts';
import type { Field } from '../../validation/fields.ts';

const ALLOWED =
  "1 to 256 characters: letters, digits and ' _.:@+=,-', in parts between single slashes, none of them '.' or '..'";
const PART = String.raw`(?!\.{1,2}(?:/|$))[\p{L}\p{N} _.:@+=,-]+`;
const PATTERN = new RegExp(`^${PART}(?:/${PART})*$`, 'u');
const MOST_CHARACTERS = 256;

/** A refused id is answered with a client error, since most ids come from clients. */
const STATUS = 400;

/**
 * The id of a multiplexed model. Loaders build paths and URLs from the id, and clients may choose it, so ids that lead
 * out of a directory are refused.
 */
export const MODEL_ID: Field<string> = {
  allowed: ALLOWED,
  parse(value, option) {
    if (typeof value === 'string' && value.length <= MOST_CHARACTERS && PATTERN.test(value)) return value;
    const got = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;
    throw new ServeError('SERVE_INVALID_OPTION', `${option}: got ${got}; allowed: ${ALLOWED}`, {
      statusCode: STATUS,
    });
  },
};
