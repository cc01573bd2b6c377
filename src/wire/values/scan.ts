import { FAULT, malformed, WireError } from '../wire-error.ts';
import { EXTENSION_BYTES } from './extension.ts';

/**
 * Deepest nesting of a value, as in a message between threads: objects below an argument. The surrounding array of
 * frames and the value itself add two levels.
 */
export const MAX_DEPTH = 1_000;
const MAX_LEVELS = MAX_DEPTH + 3;

/**
 * Number of values left to read, by level; keys count as values. A count that does not fit is refused before use: no
 * message has as many bytes.
 */
const left = new Int32Array(MAX_LEVELS);
const isMap = new Uint8Array(MAX_LEVELS);

/**
 * Checks a message before any value is built. The library reserves memory for what a header claims (each 5 bytes may
 * claim 4 G items), passes unknown extensions on, and has no limit of depth.
 *
 * Afterwards it is certain that the bytes are exactly one value; that each text, binary and extension lies within them;
 * that all containers together claim no more values than there are bytes; that keys are strings.
 *
 * @throws WireError
 */
export function scan(bytes: Uint8Array): void {
  const end = bytes.length;
  let at = 0;
  let level = 0;
  /** Number of values that all open containers still claim. */
  let claimed = 1;
  left[0] = 1;
  isMap[0] = 0;
  while (claimed > 0) {
    if (claimed > end - at) throw malformed(`${claimed} values are claimed, but ${end - at} bytes are left`);
    const head = bytes[at++] as number;
    claimed--;
    if (isMap[level] === 1 && ((left[level] as number) & 1) === 0 && !isText(head))
      throw malformed(`a key is not a string (0x${head.toString(16)})`);
    left[level] = (left[level] as number) - 1;
    let members = -1;
    let isEntries = 0;
    if (head < 0x80 || head >= 0xe0) {
      // The head is an integer of one byte.
    } else if (head < 0x90) {
      members = (head - 0x80) * 2;
      isEntries = 1;
    } else if (head < 0xa0) {
      members = head - 0x90;
    } else if (head < 0xc0) {
      at += head - 0xa0;
    } else if (head >= 0xdc) {
      const isLong = head === 0xdd || head === 0xdf;
      members = sizeAt(bytes, at, isLong ? 4 : 2);
      at += isLong ? 4 : 2;
      if (head >= 0xde) {
        members *= 2;
        isEntries = 1;
      }
    } else {
      at = pastLeaf(bytes, at, head);
    }
    if (at > end) throw malformed(`a value ends ${at - end} bytes after the message`);
    if (members > 0) {
      if (++level >= MAX_LEVELS)
        throw new WireError(FAULT.depth, `a value is nested more than ${MAX_DEPTH} levels deep`);
      left[level] = members;
      isMap[level] = isEntries;
      claimed += members;
    } else {
      while (level > 0 && left[level] === 0) level--;
    }
  }
  if (at !== end) throw malformed(`${end - at} bytes follow the message`);
}

function isText(head: number): boolean {
  return (head >= 0xa0 && head < 0xc0) || (head >= 0xd9 && head <= 0xdb);
}

/** Returns the start of the next value. @param head 0xc0…0xdb */
function pastLeaf(bytes: Uint8Array, at: number, head: number): number {
  if (head >= 0xd9) {
    const width = 1 << (head - 0xd9);
    return at + width + sizeAt(bytes, at, width);
  }
  if (head >= 0xd4) return pastExtension(bytes, at, 1 << (head - 0xd4));
  if (head >= 0xcc) return at + (1 << ((head - 0xcc) % 4));
  if (head === 0xcb) return at + 8;
  if (head === 0xca) return at + 4;
  if (head >= 0xc7) {
    const width = 1 << (head - 0xc7);
    return pastExtension(bytes, at + width, sizeAt(bytes, at, width));
  }
  // Plain binaries are refused: binaries travel as memory, which has a number.
  if (head === 0xc1 || head >= 0xc4) throw malformed(`no value starts with 0x${head.toString(16)}`);
  return at;
}

function pastExtension(bytes: Uint8Array, at: number, size: number): number {
  const type = bytes[at];
  const allowed = type === undefined ? undefined : EXTENSION_BYTES[type];
  if (allowed === undefined) throw new WireError(FAULT.extension, `extension ${type} does not exist`);
  const [min, max] = allowed;
  if (size < min || size > max) throw malformed(`extension ${type} has ${size} bytes`);
  return at + 1 + size;
}

/** Reads a size of `width` bytes. Missing bytes count as 0: the caller detects the end of the message. */
function sizeAt(bytes: Uint8Array, at: number, width: number): number {
  let size = 0;
  for (let index = 0; index < width; index++) size = size * 256 + (bytes[at + index] ?? 0);
  return size;
}
