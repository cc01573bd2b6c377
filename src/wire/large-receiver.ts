import { MAX_BEGUN_BYTES } from './large-sender.ts';
import { FAULT, malformed, WireError } from './wire-error.ts';

/** Maximum number of frames per link that wait behind a large frame of their call, and of announced large frames. */
const MAX_WAITING = 65_536;
/** Maximum size of the messages whose frames wait, and of the lists of lengths in announcements, in bytes. */
const MAX_WAITING_BYTES = 67_108_864;
/** Memory of a length in an announcement, in bytes. */
const LENGTH_BYTES = 8;

export type Frame = readonly unknown[];

/** A large frame that has not arrived completely. */
class Incoming {
  readonly total: number;
  readonly #lengths: readonly number[];
  /**
   * The buffers are allocated with the first byte, since an announcement costs its sender nothing. They are not filled with
   * zeros: a frame is only read when it is whole.
   */
  #buffers: Uint8Array<ArrayBuffer>[] | undefined = undefined;
  #filled = 0;
  #index = 0;
  #offset = 0;

  /** @param lengths lengths of the head and of the binaries */
  constructor(lengths: readonly number[], total: number) {
    this.#lengths = lengths;
    this.total = total;
  }

  /** Memory of the announcement, in bytes. */
  get bytes(): number {
    return LENGTH_BYTES * this.#lengths.length;
  }

  get isBegun(): boolean {
    return this.#filled > 0;
  }

  get isWhole(): boolean {
    return this.#filled === this.total;
  }

  /** Buffers of the head, then of the binaries. */
  get buffers(): readonly Uint8Array<ArrayBuffer>[] {
    this.#buffers ??= this.#lengths.map((length) => Buffer.allocUnsafeSlow(length));
    return this.#buffers;
  }

  fill(bytes: Uint8Array): void {
    if (bytes.length > this.total - this.#filled) throw malformed('a part exceeds its frame');
    const { buffers } = this;
    this.#filled += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const buffer = buffers[this.#index] as Uint8Array;
      const room = buffer.length - this.#offset;
      const piece = at === 0 && bytes.length <= room ? bytes : bytes.subarray(at, at + room);
      buffer.set(piece, this.#offset);
      this.#offset += piece.length;
      at += piece.length;
      if (this.#offset === buffer.length) {
        this.#index++;
        this.#offset = 0;
      }
    }
  }
}

interface Waiting {
  readonly frame: Frame;
  readonly bytes: number;
}

/**
 * Assembles large frames that arrive in parts. Later frames of the same call wait, so that a call gets its frames in
 * the order in which they were sent; frames of other calls overtake.
 */
export class LargeReceiver {
  readonly #maxPayload: number;
  readonly #read: (head: Uint8Array, large: readonly ArrayBuffer[], id: number) => Frame;
  readonly #queues = new Map<number, Array<Incoming | Waiting>>();
  #waiting = 0;
  #waitingBytes = 0;
  #begunBytes = 0;

  /**
   * @param maxPayload maximum size of one frame, in bytes
   * @param read builds the frame from a head and the large binaries
   */
  constructor(
    maxPayload: number,
    read: (head: Uint8Array, large: readonly ArrayBuffer[], id: number) => Frame,
  ) {
    this.#maxPayload = maxPayload;
    this.#read = read;
  }

  /** Whether frames of the id must wait. */
  isBusy(id: number): boolean {
    return this.#queues.size > 0 && this.#queues.has(id);
  }

  /** Announces a large frame that follows in parts. @throws WireError */
  announce(id: number, headLength: number, lengths: readonly number[]): void {
    const total = lengths.reduce((sum, length) => sum + length, headLength);
    if (total > this.#maxPayload)
      throw new WireError(
        FAULT.limit,
        `a frame of ${total} bytes was announced; at most ${this.#maxPayload} are allowed`,
      );
    if (headLength === 0) throw malformed('a large frame has no head');
    this.#add(id, new Incoming([headLength, ...lengths], total));
  }

  /** Holds a frame behind a large frame of its call. @param bytes the frame's share of the message @throws WireError */
  hold(id: number, frame: Frame, bytes: number): void {
    this.#add(id, { frame, bytes });
  }

  #add(id: number, item: Incoming | Waiting): void {
    this.#waitingBytes += item.bytes;
    if (++this.#waiting > MAX_WAITING || this.#waitingBytes > MAX_WAITING_BYTES)
      throw new WireError(FAULT.limit, 'too many frames wait for parts');
    const queue = this.#queues.get(id);
    if (queue === undefined) this.#queues.set(id, [item]);
    else queue.push(item);
  }

  /**
   * Adds bytes to the first large frame of an id.
   * @returns the frames that are complete now, in their order
   * @throws WireError
   */
  part(id: number, pieces: readonly Uint8Array[]): Frame[] {
    const queue = this.#queues.get(id);
    const first = queue?.[0];
    if (queue === undefined || !(first instanceof Incoming)) throw malformed(`no part is expected for ${id}`);
    if (!first.isBegun) this.#begin(first);
    for (const bytes of pieces) first.fill(bytes);
    return first.isWhole ? this.#drain(id, queue) : [];
  }

  #begin({ total }: Incoming): void {
    if (this.#begunBytes > 0 && this.#begunBytes + total > MAX_BEGUN_BYTES)
      throw new WireError(FAULT.limit, 'too many large frames have begun');
    this.#begunBytes += total;
  }

  /** Drops a frame that the peer cancelled, and the frames that wait behind it. */
  cancel(id: number): void {
    const queue = this.#queues.get(id);
    if (queue === undefined) return;
    this.#queues.delete(id);
    for (const item of queue) this.#forget(item);
  }

  #drain(id: number, queue: Array<Incoming | Waiting>): Frame[] {
    const ready: Frame[] = [];
    for (let item = queue[0]; item !== undefined; item = queue[0]) {
      if (item instanceof Incoming && !item.isWhole) return ready;
      queue.shift();
      this.#forget(item);
      ready.push(item instanceof Incoming ? this.#frameOf(item, id) : item.frame);
    }
    this.#queues.delete(id);
    return ready;
  }

  #frameOf({ buffers }: Incoming, id: number): Frame {
    const [head, ...large] = buffers;
    return this.#read(
      head as Uint8Array,
      large.map(({ buffer }) => buffer),
      id,
    );
  }

  #forget(item: Incoming | Waiting): void {
    this.#waiting--;
    this.#waitingBytes -= item.bytes;
    if (item instanceof Incoming && item.isBegun) this.#begunBytes -= item.total;
  }
}
