import { FRAME, frameLength } from '../../../channel/frames.ts';
import { mayHaveNames } from '../../../values/array-members.ts';
import { malformed } from '../../../wire/wire-error.ts';

/** First byte of a message of plain calls. Other messages begin with the high byte of a small number. */
const BRACKET = 0x5b;

/** Size from which calls go in parts, in characters, so that they delay no other ones. */
const MOST_CHARACTERS = 16_384;
const DEEPEST = 64;

/** Characters beside a text, or around a container: quotes or brackets, and a comma or colon. */
const TEXT_BORDERS = 3;
const CONTAINER_BORDERS = 3;
/** The most characters of `false`, `null` or an integer of up to three digits, with a comma. */
const WORD_CHARACTERS = 6;
/** The most characters of an integer that is exact, and of any other number (`-0.0000012345678901234567`), with a comma. */
const LONGEST_INTEGER = 18;
const LONGEST_NUMBER = 26;
/** The most characters of an undefined item: `null`, and its index among the missing ones, each with a comma. */
const MISSING_CHARACTERS = 11;

/** The calls of one message as `channel/frames.ts` lays them out, and what goes with them. */
export interface PlainCalls {
  readonly lane: number;
  /** State of the child; undefined if it is unchanged. */
  readonly state: readonly number[] | undefined;
  readonly frames: readonly unknown[];
}

/**
 * Returns calls as JSON; undefined if it cannot express their captured values, or they are long. Of a message with 16 small
 * calls this takes three quarters of the CPU of MessagePack, whose frames are checked besides; structured clone takes three
 * times as much, since each of its serializers is an object that the garbage collector has to finalize.
 */
export function encodePlainCalls({ lane, state, frames }: PlainCalls): string | undefined {
  if (hasMarks(frames)) return undefined;
  let missing = '';
  let left = MOST_CHARACTERS;
  for (let index = 0; index < frames.length && left >= 0; index++) {
    const item = frames[index];
    if (item === undefined) {
      missing += `,${index}`;
      left -= MISSING_CHARACTERS;
    } else {
      left = leftAfter(item, left, 0);
    }
  }
  if (left < 0) return undefined;
  const text = `[${lane},${state === undefined ? 0 : JSON.stringify(state)},[${missing.slice(1)}],${JSON.stringify(frames)}]`;
  return text.length < MOST_CHARACTERS ? text : undefined;
}

/** Whether a message was made by `encodePlainCalls`. */
export function arePlainCalls(message: Uint8Array): boolean {
  return message[0] === BRACKET;
}

/** @throws WireError */
export function decodePlainCalls(message: Buffer): PlainCalls & { readonly frames: unknown[] } {
  const [lane, state, missing, frames] = parsed(message);
  for (const index of missing) frames[index] = undefined;
  return { lane, state: state === 0 ? undefined : state, frames };
}

type Message = [lane: number, state: number[] | 0, missing: number[], frames: unknown[]];

function parsed(message: Buffer): Message {
  try {
    return JSON.parse(message.toString('utf8')) as Message;
  } catch {
    throw malformed('a message of calls is no JSON');
  }
}

/** Whether stand-ins are among the values: marks say which objects are meant by their identity, which JSON does not keep. */
function hasMarks(frames: readonly unknown[]): boolean {
  for (let at = 0; at < frames.length; ) {
    const length = frameLength(frames, at);
    switch (frames[at]) {
      case FRAME.callExtra:
      case FRAME.resultMarked:
      case FRAME.error:
      case FRAME.open:
      case FRAME.chunkMarked:
      case FRAME.lost:
        // Marks are the last field of these frames.
        if (frames[at + length - 1] !== undefined) return true;
    }
    at += length;
  }
  return false;
}

/**
 * Returns what is left of a budget of characters after a value; less than 0 if the budget is spent, where the walk ends, or if
 * JSON does not keep the value as it is. No value has more characters than it is charged for, unless a text has escapes.
 */
function leftAfter(value: unknown, left: number, depth: number): number {
  switch (typeof value) {
    case 'string':
      return left - value.length - TEXT_BORDERS;
    case 'number':
      return left - charactersOf(value);
    case 'boolean':
      return left - WORD_CHARACTERS;
    case 'object':
      return value === null ? left - WORD_CHARACTERS : leftAfterObject(value, left, depth + 1);
    default:
      return -1;
  }
}

/** The most characters of a number, with a comma; infinite for a number that JSON does not keep as it is. */
function charactersOf(value: number): number {
  if (!Number.isSafeInteger(value)) return Number.isFinite(value) ? LONGEST_NUMBER : Infinity;
  if (value <= -1_000 || value >= 1_000) return LONGEST_INTEGER;
  return Object.is(value, -0) ? Infinity : WORD_CHARACTERS;
}

function leftAfterObject(value: object, before: number, depth: number): number {
  if (depth > DEEPEST) return -1;
  let left = before - CONTAINER_BORDERS;
  if (Array.isArray(value)) {
    // Each item takes two characters at least.
    if (value.length * 2 > left || mayHaveNames(value)) return -1;
    for (let index = 0; index < value.length && left >= 0; index++)
      left = leftAfter(value[index], left, depth);
    return left;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // Some libraries add functions to Object.prototype.
    if (typeof item === 'function' && !Object.hasOwn(value, key)) continue;
    left = leftAfter(item, left - key.length - TEXT_BORDERS, depth);
    if (left < 0) return -1;
  }
  return left;
}
