import { malformed } from '../wire-error.ts';
import { EXTENSION, Extension, MAX_REGEXP_BYTES } from './extension.ts';

const INT64_BYTES = 8;

export const UNDEFINED: Extension = new Extension(EXTENSION.undefined);
export const NEGATIVE_ZERO: Extension = new Extension(EXTENSION.negativeZero);
export const HOLE: Extension = new Extension(EXTENSION.hole);
export const MARKS_END: Extension = new Extension(EXTENSION.marks);

/** Whether the text survives UTF-8 and the library, whose decoder drops a byte order mark in front of a long text. */
export function isPlainText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff;
}

export function textExtension(text: string): Extension {
  return new Extension(EXTENSION.text, new Uint8Array(Buffer.from(text, 'utf16le')));
}

export function readText(data: Uint8Array): string {
  if (data.length % 2 !== 0) throw malformed('a UTF-16 text has half a character');
  return asBuffer(data).toString('utf16le');
}

export function bigintExtension(value: bigint): Extension {
  if (BigInt.asIntN(64, value) === value) {
    const data = new Uint8Array(INT64_BYTES);
    new DataView(data.buffer).setBigInt64(0, value);
    return new Extension(EXTENSION.bigint, data);
  }
  const digits = (value < 0n ? -value : value).toString(16);
  const magnitude = digits.padStart(Math.max(2 * INT64_BYTES, digits.length + (digits.length % 2)), '0');
  return new Extension(
    EXTENSION.bigint,
    new Uint8Array(Buffer.from(`${value < 0n ? '01' : '00'}${magnitude}`, 'hex')),
  );
}

export function readBigint(data: Uint8Array): bigint {
  if (data.length === INT64_BYTES)
    return new DataView(data.buffer, data.byteOffset, data.byteLength).getBigInt64(0);
  const [sign] = data;
  if (sign !== 0 && sign !== 1) throw malformed(`a bigint has the sign ${sign}`);
  // With a power of two as the base the time grows linearly with the length, not with its square.
  const magnitude = BigInt(`0x${asBuffer(data.subarray(1)).toString('hex')}`);
  return sign === 1 ? -magnitude : magnitude;
}

export function dateExtension(value: Date): Extension {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setFloat64(0, value.getTime());
  return new Extension(EXTENSION.date, data);
}

export function readDate(data: Uint8Array): Date {
  return new Date(new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0));
}

/** Encodes a regular expression; undefined if it is too long. */
export function regexpExtension({ source, flags }: RegExp): Extension | undefined {
  const text = Buffer.from(`${flags}${source}`);
  if (text.length + 1 > MAX_REGEXP_BYTES || !source.isWellFormed()) return undefined;
  return new Extension(EXTENSION.regexp, new Uint8Array(Buffer.concat([Buffer.of(flags.length), text])));
}

/** Reads a regular expression; returns an error for syntax that this version of Node does not understand. */
export function readRegexp(data: Uint8Array): RegExp | Error {
  const flagsEnd = 1 + (data[0] as number);
  const text = asBuffer(data);
  try {
    return new RegExp(text.toString('utf8', flagsEnd), text.toString('latin1', 1, flagsEnd));
  } catch (error) {
    return error as Error;
  }
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
