import { now } from '../time/clock.ts';
import {
  CHUNK_SHARE,
  type Collector,
  type EventLoop,
  FRAME_SHARE,
  FULL_MESSAGE,
  loop,
} from '../time/loop.ts';
import { LARGE_BYTES } from '../values/capture.ts';
import { FRAME, frameLength } from './frames.ts';
import type { FrameTransport } from './transport.ts';

/**
 * Number of posts that a thread with a held loop makes at once, per outbox and millisecond: results leave before the
 * next call begins, and so do the first of many calls that a method makes before it computes. Further frames are
 * collected.
 */
const AT_ONCE = 4;
const WINDOW_MS = 1;

/** The part of an event loop that decides when collected frames are posted. */
export type FrameLoop = Pick<EventLoop, 'collect' | 'postsAtOnce' | 'maxAnswers'>;

/**
 * Collects frames and posts them, at the latest at the end of the event loop's turn; on a thread whose loop is held, at
 * once (a post in the middle of a held loop reaches the other thread in 0.13 ms).
 *
 * The outbox uses `setImmediate`, not a microtask: in a server each socket callback drains its own microtasks, so those
 * coalesce nothing (1.00 calls per post; `setImmediate` 35.6, and 25 k → 41 k req/s).
 */
export class Outbox implements Collector {
  readonly #transport: FrameTransport;
  readonly #onRefused: (frame: readonly unknown[], error: unknown) => void;
  readonly #onPosting: () => void;
  readonly #loop: FrameLoop;
  #frames: unknown[] = [];
  #transfer: ArrayBuffer[] | undefined = undefined;
  #bytes = 0;
  /** Shares of a full message that the frames take. */
  #shares = 0;
  #answers = 0;
  #isCollected = false;
  #closed = false;
  #windowAt = 0;
  #posted = 0;

  /**
   * @param onRefused receives a frame that the serializer refused; the others of its batch were sent
   * @param onPosting the frames that were committed so far leave now, or are dropped since the outbox is closed
   */
  constructor(
    transport: FrameTransport,
    onRefused: (frame: readonly unknown[], error: unknown) => void,
    onPosting: () => void = () => {},
    eventLoop: FrameLoop = loop,
  ) {
    this.#loop = eventLoop;
    this.#transport = transport;
    this.#onRefused = onRefused;
    this.#onPosting = onPosting;
  }

  /** The open batch: push one whole frame, then `commit`. */
  get frames(): unknown[] {
    return this.#frames;
  }

  /**
   * Ends a frame. Payloads are not collected beyond 64 KiB: one huge message makes the serializer's buffer grow again
   * and again (64 × 1 MiB in one message fell from 1.5 k/s to 0.5 k/s). Moved buffers never enter the serializer's
   * buffer.
   * @param isAnswer the frame is the last one of a call, which its caller may await
   */
  commit(bytes: number, transfer: ArrayBuffer[] | undefined, isAnswer = false): void {
    if (isAnswer) this.#answers++;
    this.#commit(bytes, transfer, FRAME_SHARE);
  }

  /** Ends the frame of a chunk. */
  commitChunk(bytes: number, transfer: ArrayBuffer[] | undefined): void {
    this.#commit(bytes, transfer, CHUNK_SHARE);
  }

  #commit(bytes: number, transfer: ArrayBuffer[] | undefined, share: number): void {
    let cloned = bytes;
    if (transfer !== undefined) {
      for (const { byteLength } of transfer) cloned -= byteLength;
      if (this.#transfer === undefined) this.#transfer = transfer;
      else this.#transfer = this.#transfer.concat(transfer);
    }
    if (cloned > 0) this.#bytes += cloned;
    this.#shares += share;
    if (this.#shares >= FULL_MESSAGE || this.#answers >= this.#loop.maxAnswers) this.#post();
    else this.#leaveSoon();
  }

  /**
   * Ends a frame that further pieces may still join. It does not count towards a full message: otherwise parallel
   * streams would post with every piece.
   */
  commitPiece(bytes: number): void {
    this.#bytes += bytes;
    this.#leaveSoon();
  }

  #leaveSoon(): void {
    if (this.#bytes >= LARGE_BYTES || (this.#loop.postsAtOnce && this.#mayPost())) {
      this.#post();
    } else if (!this.#isCollected) {
      this.#isCollected = true;
      this.#loop.collect(this);
    }
  }

  /** A frame of the open batch, which was committed already, has grown by this many bytes. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= LARGE_BYTES) this.#post();
  }

  /** Posts the collected frames. */
  flush(): void {
    this.#isCollected = false;
    this.#post();
  }

  #mayPost(): boolean {
    const at = now();
    if (at - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = at;
      this.#posted = 0;
    }
    return this.#posted++ < AT_ONCE;
  }

  #post(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    const transfer = this.#transfer;
    this.#frames = [];
    this.#transfer = undefined;
    this.#bytes = 0;
    this.#shares = 0;
    this.#answers = 0;
    this.#onPosting();
    if (!this.#closed) {
      try {
        this.#transport.post(frames, transfer);
      } catch (error) {
        this.#postSingly(frames, transfer ?? [], error);
      }
    }
  }

  /** Drops collected and further frames. */
  close(): void {
    this.#closed = true;
    this.#post();
  }

  /**
   * Posts frames one by one: a value that cannot be cloned must fail only its own call. Later frames of that call are
   * dropped: a stream with a hole must not look like a whole one.
   */
  #postSingly(frames: readonly unknown[], transfer: ArrayBuffer[], cause: unknown): void {
    if (frameLength(frames, 0) === frames.length) {
      this.#onRefused(frames, cause);
      return;
    }
    const buffers = [...new Set(transfer)];
    const refused = new Set<unknown>();
    for (let at = 0; at < frames.length; ) {
      const length = frameLength(frames, at);
      const frame = frames.slice(at, at + length);
      at += length;
      const [kind, id] = frame;
      if (kind === FRAME.call || kind === FRAME.callExtra) refused.delete(id);
      if (refused.has(id)) continue;
      try {
        // A buffer that was moved already must be refused with the frame that holds it, not with the others.
        this.#transport.post(
          frame,
          buffers.filter((buffer) => mentions(frame, buffer, 4)),
        );
      } catch (error) {
        refused.add(id);
        this.#onRefused(frame, error);
      }
    }
  }
}

/** Whether `buffer` or a view of it is somewhere in `value`. Only used after a refused batch. */
function mentions(value: unknown, buffer: ArrayBuffer, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value === buffer || (ArrayBuffer.isView(value) && value.buffer === buffer)) return true;
  if (depth === 0 || ArrayBuffer.isView(value)) return false;
  const items =
    value instanceof Map
      ? [...value.keys(), ...value.values()]
      : value instanceof Set
        ? [...value]
        : Object.values(value);
  return items.some((item) => mentions(item, buffer, depth - 1));
}
