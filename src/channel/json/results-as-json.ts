import { FRAME } from '../frames.ts';
import { headsOf, JoinedParts, JsonBatch, JsonPart, messageOf, messageWith, valuesOf } from './json-batch.ts';
import { leftAfter, MOST_CHARACTERS } from './json-size.ts';

/**
 * Returns results as a message; undefined if JSON cannot express their captured values, they are long, or other frames are
 * among them.
 *
 * The heads are ids. The complement of an id stands for the result `undefined`, which JSON lacks.
 */
export function resultsAsJson(frames: readonly unknown[]): string | undefined {
  const heads: number[] = [];
  const values: unknown[] = [];
  let left = MOST_CHARACTERS;
  for (let at = 0; at < frames.length; at += 3) {
    if (frames[at] !== FRAME.result) return undefined;
    const id = frames[at + 1] as number;
    const value = frames[at + 2];
    heads.push(value === undefined ? ~id : id);
    if (value === undefined) continue;
    left = leftAfter(value, left);
    if (left < 0) return undefined;
    values.push(value);
  }
  return messageWith(heads, values);
}

/** Returns the frames of results, which stay in one batch. */
export function resultsWithParts(message: string): unknown[] {
  const heads = headsOf(message) as number[];
  let count = 0;
  for (const id of heads) if (id >= 0) count++;
  const batch = new JsonBatch(valuesOf(message), count);
  return framesOf(heads, (index) => new JsonPart(batch, index, index, 1));
}

/** Returns results that are parts as a message; undefined if parts are missing, or other frames are among them. */
export function joinResults(frames: readonly unknown[]): string | undefined {
  const heads: number[] = [];
  const parts = new JoinedParts();
  for (let at = 0; at < frames.length; at += 3) {
    if (frames[at] !== FRAME.result) return undefined;
    const id = frames[at + 1] as number;
    const part = frames[at + 2];
    heads.push(part === undefined ? ~id : id);
    if (part !== undefined && (!(part instanceof JsonPart) || !parts.add(part))) return undefined;
  }
  return messageOf(heads, parts.text);
}

/** Returns the frames of results with their values. */
export function resultsWithValues(message: string): unknown[] {
  const values = JSON.parse(valuesOf(message)) as unknown[];
  return framesOf(headsOf(message) as number[], (index) => values[index]);
}

function framesOf(heads: readonly number[], value: (index: number) => unknown): unknown[] {
  const frames: unknown[] = [];
  let index = 0;
  for (const id of heads) {
    if (id < 0) frames.push(FRAME.result, ~id, undefined);
    else frames.push(FRAME.result, id, value(index++));
  }
  return frames;
}
