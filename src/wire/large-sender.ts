/** Maximum size of one part, in bytes: a small frame waits behind one part, not behind a whole picture. */
export const PART_BYTES = 65_536;

/**
 * Maximum total size of partly sent frames, in bytes, unless only one frame is partly sent. The receiver keeps room for
 * them; a peer that begins more is disconnected.
 */
export const MAX_BEGUN_BYTES = 134_217_728;

/** One part: consecutive bytes of the large frame, in one or several pieces. */
export interface Part {
  readonly id: number;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** Whether the frame opens a call. */
  readonly isOfCall: boolean;
  /** Set for the last part of a frame: called when the part is written. */
  readonly onWritten: (() => void) | undefined;
}

/** A large frame that was not sent completely. */
class Unsent {
  readonly #pieces: readonly Uint8Array[];
  readonly total: number;
  /** Whether the frame opens a call. */
  readonly isCall: boolean;
  readonly onWritten: (() => void) | undefined;
  #piece = 0;
  #offset = 0;
  left: number;

  constructor(pieces: readonly Uint8Array[], isCall: boolean, onWritten: (() => void) | undefined) {
    this.#pieces = pieces;
    this.isCall = isCall;
    this.onWritten = onWritten;
    this.total = sizeOf(pieces);
    this.left = this.total;
  }

  take(max: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    for (let room = Math.min(max, this.left); room > 0; ) {
      const piece = this.#pieces[this.#piece] as Uint8Array;
      const bytes = piece.subarray(this.#offset, this.#offset + room);
      this.#offset += bytes.length;
      if (this.#offset === piece.length) {
        this.#piece++;
        this.#offset = 0;
      }
      this.left -= bytes.length;
      room -= bytes.length;
      if (bytes.length > 0) taken.push(bytes);
    }
    return taken;
  }
}

/** Sends large frames in parts: one part of each call in turn, the frames of a call one after the other. */
export class LargeSender {
  /** Queues by id; the order of the map is the order of the turns. */
  readonly #queues = new Map<number, Unsent[]>();
  /** Number of waiting bytes. */
  unsent = 0;
  #begunBytes = 0;
  /** Number of parts that are being written, and of those among them whose frames open calls. */
  #writing = 0;
  #writingCalls = 0;

  /** Whether frames wait and no part is being written, whose end would be the time for the next one. */
  get isStalled(): boolean {
    return this.#writing === 0 && this.unsent > 0;
  }

  /**
   * @param pieces the head and the large binaries of a frame
   * @param onWritten is called with the last part of the frame
   * @param isCall whether the frame opens a call
   */
  add(id: number, pieces: readonly Uint8Array[], onWritten?: () => void, isCall = false): void {
    const frame = new Unsent(pieces, isCall, onWritten);
    this.unsent += frame.total;
    const queue = this.#queues.get(id);
    if (queue === undefined) this.#queues.set(id, [frame]);
    else queue.push(frame);
  }

  /** Returns the next part, for which `written` is called later; undefined if no frame waits. */
  next(): Part | undefined {
    for (const [id, queue] of this.#queues) {
      const frame = queue[0] as Unsent;
      const isBegun = frame.left < frame.total;
      if (!isBegun && this.#begunBytes > 0 && this.#begunBytes + frame.total > MAX_BEGUN_BYTES) continue;
      this.#writing++;
      if (frame.isCall) this.#writingCalls++;
      const pieces = frame.take(PART_BYTES);
      const bytes = sizeOf(pieces);
      this.unsent -= bytes;
      if (!isBegun) this.#begunBytes += frame.total;
      this.#queues.delete(id);
      const isLast = frame.left === 0;
      if (isLast) {
        this.#begunBytes -= frame.total;
        queue.shift();
      }
      if (queue.length > 0) this.#queues.set(id, queue);
      return { id, pieces, bytes, isOfCall: frame.isCall, onWritten: isLast ? frame.onWritten : undefined };
    }
    return undefined;
  }

  /** Whether the socket may still read the memory of calls. */
  get isWritingCalls(): boolean {
    return this.#writingCalls > 0;
  }

  /** Ids of the calls whose last part was not given out. */
  *unsentCalls(): Generator<number> {
    for (const [id, [frame]] of this.#queues) if (frame?.isCall === true) yield id;
  }

  /** The socket has taken a part. */
  written({ isOfCall, onWritten }: Part): void {
    this.#writing--;
    if (isOfCall) this.#writingCalls--;
    onWritten?.();
  }

  /** Drops unsent frames of an id. @returns whether any frame was dropped */
  cancel(id: number): boolean {
    const queue = this.#queues.get(id);
    if (queue === undefined) return false;
    this.#queues.delete(id);
    for (const { total, left } of queue) {
      this.unsent -= left;
      if (left < total) this.#begunBytes -= total;
    }
    return true;
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((bytes, { length }) => bytes + length, 0);
}
