import { type ViewConstructor, viewConstructor } from '../../values/kinds.ts';
import { malformed } from '../wire-error.ts';
import { EXTENSION, Extension, MEMORY, pack, VIEWS, wordAt } from './extension.ts';

/** Size, in bytes, from which a buffer follows in parts instead of in the head of a message. */
export const LARGE_BINARY_BYTES = 16_384;

const SOURCE_BYTES = 5;
const VIEW_BYTES = 10;

/** Writes the buffers and views of a message, each buffer once, however many views it has. */
export class MemoryWriter {
  /** The large buffers of the current frame. */
  large: ArrayBuffer[] = [];
  /** Numbers of this frame's buffers, which continue over the frames of a message. */
  readonly #numbers = new Map<ArrayBuffer, number>();
  readonly #views: number;
  #next = 0;

  /** @param views number of kinds of views that the receiver knows */
  constructor(views: number) {
    this.#views = views;
  }

  /** Begins another message. */
  beginMessage(): void {
    this.beginFrame();
    this.#next = 0;
  }

  /** Begins another frame of the message. */
  beginFrame(): void {
    if (this.#numbers.size === 0) return;
    this.#numbers.clear();
    this.large = [];
  }

  buffer(buffer: ArrayBuffer): Extension {
    return new Extension(EXTENSION.memory, this.#source([], [], buffer));
  }

  /** Encodes a view; undefined if the receiver does not know its kind. */
  view(view: ArrayBufferView<ArrayBuffer>, isBuffer: boolean): Extension | undefined {
    const View = viewConstructor(view);
    const kind = View === undefined ? -1 : VIEWS.indexOf(View.name);
    if (View === undefined || kind === -1 || kind >= this.#views) return undefined;
    const length = view.byteLength / sizeOf(View);
    const data = this.#source([kind, isBuffer ? 1 : 0], [view.byteOffset, length], view.buffer);
    return new Extension(EXTENSION.view, data);
  }

  #source(bytes: readonly number[], words: readonly number[], buffer: ArrayBuffer): Uint8Array<ArrayBuffer> {
    const known = this.#numbers.get(buffer);
    if (known !== undefined) return withSource(bytes, words, MEMORY.same, known);
    const number = this.#next++;
    this.#numbers.set(buffer, number);
    if (buffer.byteLength >= LARGE_BINARY_BYTES) {
      const data = withSource(bytes, words, MEMORY.large, number, 4);
      new DataView(data.buffer).setUint32(data.length - 4, this.large.push(buffer) - 1);
      return data;
    }
    const data = withSource(bytes, words, MEMORY.inline, number, buffer.byteLength);
    data.set(new Uint8Array(buffer), data.length - buffer.byteLength);
    return data;
  }
}

function withSource(
  bytes: readonly number[],
  words: readonly number[],
  place: number,
  number: number,
  more = 0,
): Uint8Array<ArrayBuffer> {
  const front = pack(bytes, words, bytes.length + words.length * 4 + SOURCE_BYTES + more);
  const at = bytes.length + words.length * 4;
  front[at] = place;
  new DataView(front.buffer).setUint32(at + 1, number);
  return front;
}

/** Reads the buffers and views of one message. */
export class MemoryReader {
  readonly #buffers = new Map<number, ArrayBuffer>();
  readonly #large: readonly ArrayBuffer[];

  /** @param large the large binaries of the frame, which came in parts */
  constructor(large: readonly ArrayBuffer[]) {
    this.#large = large;
  }

  buffer(data: Uint8Array): ArrayBuffer {
    return this.#sourceAt(data, 0);
  }

  view(data: Uint8Array): ArrayBufferView {
    const name = VIEWS[data[0] as number];
    const View: ViewConstructor | undefined = name === undefined ? undefined : Reflect.get(globalThis, name);
    if (View === undefined) throw malformed(`view kind ${data[0]} does not exist here`);
    const buffer = this.#sourceAt(data, VIEW_BYTES);
    const [start, length] = [wordAt(data, 2), wordAt(data, 6)];
    const size = sizeOf(View);
    if (start % size !== 0 || start + length * size > buffer.byteLength)
      throw malformed(`a view of ${length} × ${size} bytes at ${start} exceeds ${buffer.byteLength} bytes`);
    return new View(buffer, start, length);
  }

  #sourceAt(data: Uint8Array, at: number): ArrayBuffer {
    const place = data[at];
    const number = wordAt(data, at + 1);
    const rest = data.subarray(at + SOURCE_BYTES);
    if (place === MEMORY.same) {
      const known = this.#buffers.get(number);
      if (known === undefined || rest.length > 0) throw malformed(`buffer ${number} is unknown`);
      return known;
    }
    if (this.#buffers.has(number)) throw malformed(`buffer ${number} occurs twice`);
    const buffer = place === MEMORY.large ? this.#largeAt(rest) : inline(place, rest);
    this.#buffers.set(number, buffer);
    return buffer;
  }

  #largeAt(rest: Uint8Array): ArrayBuffer {
    const buffer = rest.length === 4 ? this.#large[wordAt(rest, 0)] : undefined;
    if (buffer === undefined) throw malformed('a large binary is missing');
    return buffer;
  }
}

function inline(place: number | undefined, bytes: Uint8Array): ArrayBuffer {
  if (place !== MEMORY.inline) throw malformed(`memory place ${place} does not exist`);
  const buffer = new ArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

function sizeOf(View: ViewConstructor): number {
  return View.BYTES_PER_ELEMENT ?? 1;
}
