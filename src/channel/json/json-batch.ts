import { FRAME, frameLength } from '../frames.ts';
import { MOST_CHARACTERS } from './json-size.ts';

/** Separates the numbers of a message from the values of its frames: JSON has no line breaks. */
const BORDER = '\n';

/**
 * The values of several frames as one JSON array. A thread that only passes frames on does not read it: each message costs
 * the thread two strings, where each value cost a clone, a stringification, a parsing and another clone.
 */
export class JsonBatch {
  readonly text: string;
  /** Number of frames whose values the text holds. */
  readonly count: number;
  #values: readonly unknown[] | undefined = undefined;

  constructor(text: string, count: number) {
    this.text = text;
    this.count = count;
  }

  /** The values, for frames that leave without the others of the batch. */
  get values(): readonly unknown[] {
    this.#values ??= JSON.parse(this.text) as unknown[];
    return this.#values;
  }
}

/** Stands for the values of one frame of a batch: for the arguments of a call, or for a result. */
export class JsonPart {
  readonly batch: JsonBatch;
  /** Position among the frames of the batch. */
  readonly index: number;
  /** Position of the first value, and the number of values. */
  readonly first: number;
  readonly length: number;

  constructor(batch: JsonBatch, index: number, first: number, length: number) {
    this.batch = batch;
    this.index = index;
    this.first = first;
    this.length = length;
  }

  get values(): readonly unknown[] {
    return this.batch.values.slice(this.first, this.first + this.length);
  }
}

/** Joins the values of parts, if all parts of their batches come one after the other. */
export class JoinedParts {
  #text = '[]';
  /** The batch whose parts were added last, and their number. */
  #batch: JsonBatch | undefined = undefined;
  #added = 0;

  /** @returns whether the part was added; if not, the values must be read */
  add({ batch, index }: JsonPart): boolean {
    if (batch !== this.#batch) {
      if (!this.#isWhole) return false;
      this.#text = joined(this.#text, batch.text);
      this.#batch = batch;
      this.#added = 0;
    }
    return index === this.#added++;
  }

  get #isWhole(): boolean {
    return this.#batch === undefined || this.#added === this.#batch.count;
  }

  /** The values as a JSON array; undefined if parts of a batch are missing, or the text is long. */
  get text(): string | undefined {
    return this.#isWhole && this.#text.length < MOST_CHARACTERS ? this.#text : undefined;
  }
}

/** Joins two JSON arrays. */
function joined(a: string, b: string): string {
  if (a === '[]') return b;
  return b === '[]' ? a : `${a.slice(0, -1)},${b.slice(1)}`;
}

/** A message: the numbers and names of its frames, and their values as a JSON array. */
export function messageOf(heads: readonly unknown[], values: string | undefined): string | undefined {
  return values === undefined ? undefined : JSON.stringify(heads) + BORDER + values;
}

/** The same of values that are captured. */
export function messageWith(heads: readonly unknown[], values: readonly unknown[]): string | undefined {
  const text = JSON.stringify(values);
  return messageOf(heads, text.length < MOST_CHARACTERS ? text : undefined);
}

export function headsOf(message: string): unknown[] {
  return JSON.parse(message.slice(0, message.indexOf(BORDER))) as unknown[];
}

export function valuesOf(message: string): string {
  return message.slice(message.indexOf(BORDER) + 1);
}

/** Returns frames with values in place of the parts of batches. The result may be the same array. */
export function withoutParts(frames: readonly unknown[]): readonly unknown[] {
  if (!frames.some((field) => field instanceof JsonPart)) return frames;
  const read: unknown[] = [];
  for (let at = 0; at < frames.length; ) {
    const end = at + frameLength(frames, at);
    for (let index = at; index < end; index++) {
      const field = frames[index];
      if (!(field instanceof JsonPart)) {
        read.push(field);
      } else if (frames[at] === FRAME.result) {
        read.push(field.values[0]);
      } else {
        // The number of arguments comes before them.
        read[read.length - 1] = field.length;
        read.push(...field.values);
      }
    }
    at = end;
  }
  return read;
}
