import { FRAME, frameLength } from '../../../channel/frames.ts';
import { mayHaveNames } from '../../../values/array-members.ts';
import { malformed } from '../../../wire/wire-error.ts';

/** First byte of a message of plain calls. Other messages begin with the high byte of a small number. */
const BRACKET = 0x5b;

/** Size from which calls go in parts, in characters, so that they delay no other ones. */
const MOST_CHARACTERS = 16_384;
const DEEPEST = 64;

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
  let size = 0;
  for (let index = 0; index < frames.length; index++) {
    const item = frames[index];
    if (item === undefined) missing += `,${index}`;
    else size += sizeOf(item, 0);
  }
  if (!(size < MOST_CHARACTERS)) return undefined;
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

/** A rough size in characters; infinite for a value that JSON does not keep as it is. */
function sizeOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return value.length;
    case 'number':
      return Number.isFinite(value) && (value !== 0 || !Object.is(value, -0)) ? 1 : Infinity;
    case 'boolean':
      return 1;
    case 'object':
      return value === null ? 1 : sizeOfObject(value, depth + 1);
    default:
      return Infinity;
  }
}

function sizeOfObject(value: object, depth: number): number {
  if (depth > DEEPEST) return Infinity;
  let size = 1;
  if (Array.isArray(value)) {
    if (value.length > MOST_CHARACTERS || mayHaveNames(value)) return Infinity;
    for (let index = 0; index < value.length; index++) size += sizeOf(value[index], depth);
    return size;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return Infinity;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // Some libraries add functions to Object.prototype.
    if (typeof item !== 'function' || Object.hasOwn(value, key)) size += key.length + sizeOf(item, depth);
  }
  return size;
}
