import { FRAME, frameLength } from '../../../channel/frames.ts';
import { leftAfter, MOST_CHARACTERS } from '../../../channel/json/json-size.ts';
import { malformed } from '../../../wire/wire-error.ts';

/** First byte of a message of plain calls. Other messages begin with the high byte of a small number. */
const BRACKET = 0x5b;

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
      left = leftAfter(item, left);
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
