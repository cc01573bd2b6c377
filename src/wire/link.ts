import { FRAME } from '../channel/frames.ts';
import { ServeError } from '../errors.ts';
import { type Collector, type EventLoop, loop, MAX_FRAMES } from '../time/loop.ts';
import type { Marks } from '../values/marks.ts';
import { Codec } from './codec.ts';
import { type Frame, LargeReceiver } from './large-receiver.ts';
import { LargeSender } from './large-sender.ts';
import type { LinkEvents, LinkOptions, LinkTraffic } from './link-options.ts';
import type { LinkSocket } from './link-socket.ts';
import { headOf, MessageBody, messageHead } from './message.ts';
import {
  callsIn,
  carriesValues,
  frameAt,
  idOf,
  isCall,
  nameOfValue,
  PEER_FRAME,
  pushFrame,
  valuesOf,
} from './peer-frames.ts';
import type { LargeOwner } from './sent-memory.ts';
import { MARKS_END } from './values/leaves.ts';
import { Lowering } from './values/lower.ts';
import { FAULT, FaultCounts, malformed, WireError } from './wire-error.ts';

/** Approximate size, in bytes, from which a frame's head goes in parts, and a message is sent before the turn ends. */
const MESSAGE_BYTES = 65_536;

/** Maximum size of a message: four times the collected size, since a character may take three bytes. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/**
 * Number of unsent bytes below which the next part is written: enough to keep the socket busy, and an upper bound of
 * the delay of small frames.
 */
const LANE_BYTES = 262_144;

/** Default maximum size of one frame with its large binaries, in bytes. */
export const MAX_PAYLOAD_BYTES = 67_108_864;

/**
 * One end of an open link: frames in, frames out. Small frames are collected until the end of the loop's turn and overtake
 * large ones, which leave in parts. The first frame of an idle link leaves at once, unless several frames came together recently.
 */
export class Link implements Collector {
  readonly #socket: LinkSocket;
  readonly #events: LinkEvents;
  readonly #loop: EventLoop;
  readonly #counts: FaultCounts;
  readonly #traffic: LinkTraffic;
  readonly #peerMaxPayload: number;
  readonly #codec = new Codec();
  readonly #lowering: Lowering;
  readonly #sender = new LargeSender();
  readonly #receiver: LargeReceiver;
  /** The large binaries of received frames. */
  readonly #large = new WeakMap<Frame, readonly ArrayBuffer[]>();
  #slots: unknown[] = [];
  /** Number of frames that count towards a full message. */
  #count = 0;
  #bytes = 0;
  /** Whether the end of the turn is awaited; until then frames are collected. */
  #isCollected = false;
  /** Number of frames of this turn. */
  #inTurn = 0;
  /** Whether the last turn with frames had several. */
  #hasCompany = false;
  #isClosed = false;
  /** Ids of the calls that were posted and not handed to the socket, or not completely, when the link ended. */
  #unsentCalls: ReadonlySet<number> = new Set();

  constructor(socket: LinkSocket, events: LinkEvents, options: LinkOptions = {}) {
    this.#socket = socket;
    this.#events = events;
    this.#loop = options.loop ?? loop;
    this.#counts = options.counts ?? new FaultCounts();
    this.#traffic = options.traffic ?? { sentBytes: 0, receivedBytes: 0 };
    this.#peerMaxPayload = options.peerMaxPayload ?? MAX_PAYLOAD_BYTES;
    this.#lowering = new Lowering(options.peerViews);
    this.#receiver = new LargeReceiver(options.maxPayload ?? MAX_PAYLOAD_BYTES, (head, large, id) =>
      this.#readLarge(head, large, id),
    );
    socket.listen({
      message: (pieces) => this.#receive(pieces),
      closed: (error) => {
        // The bytes were no messages.
        if (error instanceof WireError && !this.#isClosed) this.#counts.add(error.fault);
        this.#ended(error);
      },
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ids of the calls that certainly have not reached the peer. Known once nothing is sent any more. */
  get unsentCalls(): ReadonlySet<number> {
    return this.#unsentCalls;
  }

  /** Number of bytes that were posted and are not in the kernel. */
  get unsent(): number {
    return this.#socket.unsent + this.#sender.unsent;
  }

  /** Whether no frame waits here: a message that is sent past the link now overtakes none. */
  get isIdle(): boolean {
    return this.#slots.length === 0 && this.#sender.unsent === 0;
  }

  /**
   * Sends a frame of `channel/frames.ts` or of `PEER_FRAME`. Values must be captured; they are not changed, and are
   * read before `post` returns, except for large binaries. A closed link ignores the frame.
   *
   * @param owner owner of the large binaries: told once they are written
   * @returns whether the frame is large, and follows in parts
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, or `SERVE_PAYLOAD_TOO_LARGE`; no part of the frame was sent then
   */
  post(frame: Frame, owner?: LargeOwner): boolean {
    if (this.#isClosed) return false;
    const lowering = this.#lowering;
    const start = this.#slots.length;
    if (start === 0) lowering.beginMessage();
    try {
      pushFrame(this.#slots, this.#lower(frame));
    } catch (error) {
      this.#slots.length = start;
      throw error;
    }
    if (lowering.large.length > 0 || lowering.bytes > MESSAGE_BYTES) {
      this.#postLarge(idOf(frame), this.#slots.splice(start), lowering.large, owner);
      return true;
    }
    this.#bytes += lowering.bytes;
    // Windows bound the chunks of a turn. Each message costs a write and a read: 0.9 of the CPU time per chunk.
    this.#commit(frame[0] === FRAME.chunk ? 0 : 1);
    return false;
  }

  /**
   * Sends frames that were collected before as one message, now. @param owner owner of their large binaries
   * @throws as `post`; no frame was sent then
   */
  postAll(frames: readonly Frame[], owner?: LargeOwner): void {
    if (this.#isClosed) return;
    if (this.#slots.length > 0) this.#send();
    const lowering = this.#lowering;
    lowering.beginMessage();
    const slots: unknown[] = [];
    const large: LargeFrame[] = [];
    for (const frame of frames) {
      const start = slots.length;
      pushFrame(slots, this.#lower(frame));
      if (lowering.large.length > 0 || lowering.bytes > MESSAGE_BYTES)
        large.push({ at: start, id: idOf(frame), slots: slots.splice(start), buffers: [...lowering.large] });
    }
    let from = 0;
    for (const { at, id, slots: own, buffers } of large) {
      for (; from < at; from++) this.#slots.push(slots[from]);
      this.#postLarge(id, own, buffers, owner);
    }
    for (; from < slots.length; from++) this.#slots.push(slots[from]);
    if (this.#slots.length > 0) this.#send();
  }

  /**
   * Drops unsent data of a call: its large frames end here, and the peer forgets their parts. Data that was handed to
   * the socket before is not affected.
   *
   * @returns whether a large frame was cancelled
   */
  cancel(id: number): boolean {
    const hasAbandoned = this.#sender.cancel(id);
    if (hasAbandoned) this.post([PEER_FRAME.abandon, id]);
    return hasAbandoned;
  }

  /**
   * Returns the memory of the large binaries in a received frame, which only the frame refers to and which may therefore
   * move to another thread; undefined if the frame has none.
   */
  largeOf(frame: Frame): readonly ArrayBuffer[] | undefined {
    return this.#large.get(frame);
  }

  /** Sends the collected frames. */
  flush(): void {
    this.#isCollected = false;
    if (this.#inTurn > 0) this.#hasCompany = this.#inTurn > 1;
    this.#inTurn = 0;
    if (this.#slots.length === 0) return;
    this.#send();
    this.#awaitTurn();
  }

  /** Ends the link after the posted frames. If parts of large ones are left, that is no orderly end. */
  close(code = 1000, reason = ''): void {
    if (this.#isClosed) return;
    if (this.#slots.length > 0) this.#send();
    if (this.#sender.unsent > 0) this.#socket.close(CLOSE_CODE.cut, 'large frames were not sent');
    else this.#socket.close(code, reason);
  }

  /** Ends the link after the collected frames, without the rest of large ones, and without an event. */
  abandon(): void {
    if (this.#isClosed) return;
    if (this.#slots.length > 0) this.#send();
    this.#socket.close(1000, '');
    this.#stop();
  }

  /** Ends the link at once. @param error a `WireError` if what the peer sent is the reason, which is counted */
  destroy(error?: Error): void {
    if (error instanceof WireError && !this.#isClosed) this.#counts.add(error.fault);
    this.#socket.destroy();
    this.#ended(error);
  }

  #lower(frame: Frame): Frame {
    const { from, to, marks } = valuesOf(frame);
    if (to === 0) {
      this.#lowering.beginFrame(frame, undefined);
      return frame;
    }
    const list = marks === undefined ? undefined : (frame[marks] as Marks | undefined);
    this.#lowering.beginFrame(list === undefined ? frame : frame.slice(from, to), list);
    const lowered = frame.slice();
    for (let index = from; index < to; index++)
      lowered[index] = this.#lowering.value(frame[index], nameOfValue(frame, index - from));
    if (marks !== undefined) lowered[marks] = MARKS_END;
    return lowered;
  }

  #postLarge(id: number, slots: readonly unknown[], large: readonly ArrayBuffer[], owner?: LargeOwner): void {
    const head = this.#codec.encode(slots).slice();
    const lengths = large.map(({ byteLength }) => byteLength);
    const total = lengths.reduce((sum, length) => sum + length, head.length);
    if (total > this.#peerMaxPayload) {
      const what = `a value of ${total} bytes; a link between instances carries at most ${this.#peerMaxPayload}`;
      throw new ServeError('SERVE_PAYLOAD_TOO_LARGE', what);
    }
    const pieces = [head, ...large.map((buffer) => new Uint8Array(buffer))];
    const onWritten = owner && (() => owner.written(large));
    this.#sender.add(id, pieces, onWritten, isCall(slots[0]));
    pushFrame(this.#slots, [PEER_FRAME.large, id, head.length, lengths]);
    this.#commit(1);
    this.#sendParts();
  }

  #commit(counted: number): void {
    this.#inTurn++;
    this.#count += counted;
    if (this.#count >= MAX_FRAMES || this.#bytes >= MESSAGE_BYTES) {
      this.#send();
    } else if (!this.#isCollected) {
      // Nothing was sent in this turn and the previous one. A frame that comes alone leaves at once; one that others will
      // follow waits for them, else each batch of calls would fall into more pieces at each of its stations.
      if (!this.#hasCompany) this.#send();
      this.#awaitTurn();
    }
  }

  #awaitTurn(): void {
    this.#isCollected = true;
    this.#loop.collect(this);
  }

  #send(): void {
    const slots = this.#slots;
    this.#slots = [];
    this.#count = 0;
    this.#bytes = 0;
    if (this.#isClosed) return;
    const message = messageHead(this.#codec.encode(slots));
    this.#traffic.sentBytes += message.length;
    const isAwaited = this.#sender.isStalled || this.#socket.unsent > LANE_BYTES;
    this.#socket.send([message], isAwaited ? this.#written : undefined);
  }

  /** The socket has written much, or a message for which parts waited. */
  readonly #written = (): void => {
    this.#sendParts();
    if (this.#sender.unsent === 0) this.#events.drained?.();
  };

  /** Sends parts after small frames: collected frames leave before the next part. */
  #sendParts(): void {
    while (!this.#isClosed && this.#socket.unsent < LANE_BYTES) {
      const part = this.#sender.next();
      if (part === undefined) return;
      pushFrame(this.#slots, [PEER_FRAME.part, part.id, part.bytes]);
      const head = messageHead(this.#codec.encode(this.#slots));
      this.#slots = [];
      this.#count = 0;
      this.#bytes = 0;
      this.#traffic.sentBytes += head.length + part.bytes;
      this.#socket.send([head, ...part.pieces], () => {
        this.#sender.written(part);
        this.#written();
      });
    }
  }

  #receive(pieces: readonly Uint8Array[]): void {
    if (this.#isClosed) return;
    for (let index = 0; index < pieces.length; index++)
      this.#traffic.receivedBytes += (pieces[index] as Uint8Array).length;
    let ready: Frame[];
    try {
      ready = this.#read(pieces);
    } catch (error) {
      this.#fault(error);
      return;
    }
    if (ready.length > 0) this.#events.frames(ready);
  }

  #read(pieces: readonly Uint8Array[]): Frame[] {
    const { head, rest } = headOf(pieces);
    const slots = this.#codec.decode(head);
    const body = new MessageBody(rest);
    const ready: Frame[] = [];
    for (let at = 0; at < slots.length; ) {
      const { frame, next } = frameAt(slots, at);
      // The frame's share of the message, by which waiting frames are counted.
      const bytes = (head.length * (next - at)) / slots.length;
      at = next;
      if (frame !== undefined) this.#accept(frame, bytes, body, ready);
    }
    if (body.left > 0) throw malformed(`${body.left} bytes after the head do not belong to a part`);
    return ready;
  }

  #accept(frame: Frame, bytes: number, body: MessageBody, ready: Frame[]): void {
    const [kind, first, second, third] = frame as [number, number, number, number[]];
    switch (kind) {
      case PEER_FRAME.large:
        this.#receiver.announce(first, second, third);
        break;
      case PEER_FRAME.part:
        ready.push(...this.#receiver.part(first, body.take(second)));
        break;
      case PEER_FRAME.abandon:
        this.#receiver.cancel(first);
        break;
      case PEER_FRAME.ping:
        this.post([PEER_FRAME.pong, first]);
        break;
      default: {
        const id = idOf(frame);
        if (this.#receiver.isBusy(id)) this.#receiver.hold(id, frame, bytes);
        else ready.push(frame);
      }
    }
  }

  #readLarge(head: Uint8Array, large: readonly ArrayBuffer[], id: number): Frame {
    const slots = this.#codec.decode(head, large);
    const { frame, next } = frameAt(slots, 0);
    if (frame === undefined || next !== slots.length || idOf(frame) !== id || !carriesValues(frame))
      throw malformed('a large frame differs from its announcement');
    if (large.length > 0) this.#large.set(frame, large);
    return frame;
  }

  #fault(error: unknown): void {
    const fault = error instanceof WireError ? error.fault : FAULT.malformed;
    this.#counts.add(fault);
    this.#socket.close(CLOSE_CODE.fault, fault);
    this.#ended(error instanceof Error ? error : new WireError(fault, 'unreadable'));
  }

  #ended(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#stop();
    this.#events.closed(error);
  }

  #stop(): void {
    this.#isClosed = true;
    this.#unsentCalls = new Set([...callsIn(this.#slots), ...this.#sender.unsentCalls()]);
    this.#slots = [];
    // Calls may be sent again from now on, and their memory move to another thread: the socket must not read it any more.
    if (this.#sender.isWritingCalls) this.#socket.destroy();
  }
}

/** A lowered frame that goes in parts. */
interface LargeFrame {
  /** Index in the message at which its announcement stands. */
  readonly at: number;
  readonly id: number;
  readonly slots: readonly unknown[];
  readonly buffers: readonly ArrayBuffer[];
}

/** Close codes of a WebSocket between instances. */
export const CLOSE_CODE = { fault: 4400, unauthorized: 4401, version: 4406, late: 4408, cut: 4410 } as const;
