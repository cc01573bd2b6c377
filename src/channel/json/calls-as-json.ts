import { FRAME } from '../frames.ts';
import { headsOf, JoinedParts, JsonBatch, JsonPart, messageOf, messageWith, valuesOf } from './json-batch.ts';
import { leftAfter, MOST_CHARACTERS } from './json-size.ts';

/** Heads of a call: id, number, method, deadline, number of arguments, metadata as text or 0. */
const HEADS = 6;

/** Returns calls as a message; undefined if JSON cannot express their captured values, they are long, or other frames are among them. */
export function callsAsJson(frames: readonly unknown[]): string | undefined {
  const heads: unknown[] = [];
  const values: unknown[] = [];
  let left = MOST_CHARACTERS;
  for (let at = 0; at < frames.length; ) {
    const kind = frames[at];
    if (kind !== FRAME.call && kind !== FRAME.callExtra) return undefined;
    const argc = frames[at + 5] as number;
    const end = at + 6 + argc;
    const hasExtra = kind === FRAME.callExtra;
    const meta = hasExtra ? frames[end] : undefined;
    if (typeof meta === 'object' || (hasExtra && frames[end + 1] !== undefined)) return undefined;
    heads.push(frames[at + 1], frames[at + 2], frames[at + 3], frames[at + 4], argc, meta ?? 0);
    for (let index = at + 6; index < end; index++) {
      left = leftAfter(frames[index], left);
      if (left < 0) return undefined;
      values.push(frames[index]);
    }
    at = hasExtra ? end + 2 : end;
  }
  return messageWith(heads, values);
}

/** Returns the frames of calls, whose arguments stay in one batch. */
export function callsWithParts(message: string): unknown[] {
  const heads = headsOf(message);
  const batch = new JsonBatch(valuesOf(message), heads.length / HEADS);
  const frames: unknown[] = [];
  for (let at = 0, index = 0, first = 0; at < heads.length; at += HEADS, index++) {
    const argc = heads[at + 4] as number;
    const meta = heads[at + 5];
    const part = new JsonPart(batch, index, first, argc);
    frames.push(meta === 0 ? FRAME.call : FRAME.callExtra);
    frames.push(heads[at], heads[at + 1], heads[at + 2], heads[at + 3], 1, part);
    if (meta !== 0) frames.push(meta, undefined);
    first += argc;
  }
  return frames;
}

/** Returns calls whose arguments are parts as a message; undefined if parts are missing, or other frames are among them. */
export function joinCalls(frames: readonly unknown[]): string | undefined {
  const heads: unknown[] = [];
  const parts = new JoinedParts();
  for (let at = 0; at < frames.length; ) {
    const kind = frames[at];
    const part = frames[at + 6];
    if ((kind !== FRAME.call && kind !== FRAME.callExtra) || !(part instanceof JsonPart) || !parts.add(part))
      return undefined;
    const meta = kind === FRAME.call ? 0 : frames[at + 7];
    if (typeof meta === 'object' || (kind === FRAME.callExtra && frames[at + 8] !== undefined))
      return undefined;
    heads.push(frames[at + 1], frames[at + 2], frames[at + 3], frames[at + 4], part.length, meta ?? 0);
    at += kind === FRAME.call ? 7 : 9;
  }
  return messageOf(heads, parts.text);
}

/** Returns the frames of calls with their arguments. */
export function callsWithValues(message: string): unknown[] {
  const heads = headsOf(message);
  const values = JSON.parse(valuesOf(message)) as unknown[];
  const frames: unknown[] = [];
  let next = 0;
  for (let at = 0; at < heads.length; at += HEADS) {
    const argc = heads[at + 4] as number;
    const meta = heads[at + 5];
    frames.push(meta === 0 ? FRAME.call : FRAME.callExtra);
    frames.push(heads[at], heads[at + 1], heads[at + 2], heads[at + 3], argc);
    for (const end = next + argc; next < end; next++) frames.push(values[next]);
    if (meta !== 0) frames.push(meta, undefined);
  }
  return frames;
}
