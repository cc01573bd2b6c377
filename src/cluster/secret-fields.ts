import { invalidOption, ServeError } from '../errors.ts';
import type { Field } from '../validation/fields.ts';

/** Minimum length of a secret: a shorter one could be guessed. */
export const MIN_SECRET_BYTES = 32;

const ALLOWED_SECRET = `a text of at least ${MIN_SECRET_BYTES} bytes, or a list of such texts`;

/** The secrets of a fleet. An error tells the length of one that is too short, never the text: errors end in logs. */
export const SECRET_FIELD: Field<string | string[]> = {
  allowed: ALLOWED_SECRET,
  parse(value, option) {
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    const wrong = texts.find(
      (text) => typeof text !== 'string' || Buffer.byteLength(text) < MIN_SECRET_BYTES,
    );
    if (texts.length > 0 && wrong === undefined && value !== undefined) return value as string | string[];
    if (typeof wrong !== 'string') throw invalidOption(option, value, ALLOWED_SECRET);
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `${option}: got a text of ${Buffer.byteLength(wrong)} bytes; allowed: ${ALLOWED_SECRET}`,
    );
  },
};

/** Whether a text is a URL of Redis: characters of a password that end a host, such as `/` and `#`, must be encoded. */
export function isRedisUrl(text: string): boolean {
  return /^rediss?:\/\//.test(text) && URL.canParse(text);
}

/** A URL for an error: without user and password. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([a-z]+:\/\/|).*@/is, '$1…@');
}
