import { Decoder, Encoder, type ExtensionCodecType } from '@msgpack/msgpack';
import { MARK, type Marks } from '../values/marks.ts';
import { EXTENSION, Extension } from './values/extension.ts';
import { readBigint, readDate, readRegexp, readText } from './values/leaves.ts';
import { MemoryReader } from './values/memory.ts';
import { ContainerHead, HOLE_HERE, Raising, Same } from './values/raise.ts';
import { MAX_DEPTH, scan } from './values/scan.ts';
import { FAULT, malformed, WireError } from './wire-error.ts';

const NONE: readonly ArrayBuffer[] = [];

/** Initial size of the encoder's buffer, in bytes. The buffer grows, and keeps the size of its largest message. */
const INITIAL_BYTES = 4_096;

/**
 * Writes and reads the head of a message: one flat array of lowered frames. One codec serves one link and shares no
 * state; user code cannot add types to it.
 */
export class Codec {
  readonly #extensions = new Extensions();
  readonly #encoder = new Encoder({
    extensionCodec: this.#extensions,
    maxDepth: MAX_DEPTH + 8,
    initialBufferSize: INITIAL_BYTES,
  });
  readonly #decoder = new Decoder({ extensionCodec: this.#extensions });

  /** Encodes a message. @param slots lowered values @returns memory of the encoder, valid until the next call */
  encode(slots: readonly unknown[]): Uint8Array<ArrayBuffer> {
    return this.#encoder.encodeSharedRef(slots);
  }

  /**
   * @param large the large binaries of the frame, which came in parts
   * @returns captured values and their marks, as before lowering. Nothing is revived.
   * @throws WireError
   */
  decode(bytes: Uint8Array, large: readonly ArrayBuffer[] = NONE): unknown[] {
    scan(bytes);
    this.#extensions.begin(large);
    const slots = this.#read(bytes);
    if (!Array.isArray(slots)) throw malformed('a message is not an array');
    if (this.#extensions.hasContainers) {
      const raising = new Raising();
      for (let index = 0; index < slots.length; index++) slots[index] = raising.value(slots[index]);
    }
    return this.#extensions.hasMarks ? withMarks(slots) : slots;
  }

  #read(bytes: Uint8Array): unknown {
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw new WireError(FAULT.malformed, error instanceof Error ? error.message : 'unreadable');
    }
  }
}

/** Puts the lists of marks in their places; an empty list becomes undefined. */
function withMarks(slots: unknown[]): unknown[] {
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index];
    if (slot instanceof CollectedMarks) slots[index] = slot.marks.length === 0 ? undefined : slot.marks;
  }
  return slots;
}

/** The marks of a frame, which grow while its values are built. */
class CollectedMarks {
  readonly marks: Marks = [];
}

/** The closed list of extensions, in both directions. */
class Extensions implements ExtensionCodecType<undefined> {
  /** Whether the message has containers that must be built after the library has decoded it. */
  hasContainers = false;
  hasMarks = false;
  #marks: CollectedMarks | undefined = undefined;
  #large: readonly ArrayBuffer[] = NONE;
  #memory: MemoryReader | undefined = undefined;

  /** Begins another message. */
  begin(large: readonly ArrayBuffer[]): void {
    this.hasContainers = false;
    this.hasMarks = false;
    this.#marks = undefined;
    this.#large = large;
    this.#memory = undefined;
  }

  tryToEncode(value: unknown): Extension | null {
    return value instanceof Extension ? value : null;
  }

  decode(data: Uint8Array, type: number): unknown {
    switch (type) {
      case EXTENSION.undefined:
        return undefined;
      case EXTENSION.negativeZero:
        return -0;
      case EXTENSION.bigint:
        return readBigint(data);
      case EXTENSION.date:
        return readDate(data);
      case EXTENSION.regexp:
        return readRegexp(data);
      case EXTENSION.text:
        return readText(data);
      case EXTENSION.memory:
        return this.#memoryNow().buffer(data);
      case EXTENSION.view:
        return this.#view(data);
      case EXTENSION.marks:
        return this.#endMarks();
      default:
        return this.#part(data, type);
    }
  }

  #memoryNow(): MemoryReader {
    this.#memory ??= new MemoryReader(this.#large);
    return this.#memory;
  }

  #view(data: Uint8Array): ArrayBufferView {
    const view = this.#memoryNow().view(data);
    const isBuffer = data[1];
    if (isBuffer === 0) return view;
    if (isBuffer !== 1 || !(view instanceof Uint8Array)) throw malformed('a view has an impossible mark');
    this.#marksNow().push(view, MARK.buffer);
    return view;
  }

  #marksNow(): Marks {
    this.hasMarks = true;
    this.#marks ??= new CollectedMarks();
    return this.#marks.marks;
  }

  #endMarks(): unknown {
    const marks = this.#marks;
    this.#marks = undefined;
    return marks;
  }

  /** Reads the extensions that are built after the library has decoded the message. */
  #part(data: Uint8Array, type: number): unknown {
    this.hasContainers = true;
    if (type === EXTENSION.hole) return HOLE_HERE;
    if (type === EXTENSION.same) return new Same(data);
    if (type === EXTENSION.container) return new ContainerHead(data, this.#marksNow());
    throw new WireError(FAULT.extension, `extension ${type} does not exist`);
  }
}
