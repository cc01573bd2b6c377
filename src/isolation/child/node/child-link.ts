import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { FRAME, frameLength } from '../../../channel/frames.ts';
import { withoutParts } from '../../../channel/json/json-batch.ts';
import type { FrameTransport } from '../../../channel/transport.ts';
import type { Frame } from '../../../wire/large-receiver.ts';
import { Link } from '../../../wire/link.ts';
import type { LinkSocket, LinkSocketEvents } from '../../../wire/link-socket.ts';
import { CHILD_FRAME } from '../../../wire/peer-frames.ts';
import { PASSED_ON } from '../../../wire/sent-memory.ts';
import { StreamLinkSocket } from '../../../wire/stream-link.ts';
import { type CallsOfMessage, decodeBatch, encodeBatch, isBatch } from './batch-texts.ts';
import { arePlainCalls, decodePlainCalls, encodePlainCalls } from './plain-calls.ts';

/** Directions of the calls on one link: each has ids of its own, which are even or odd on the wire. */
export const LANE = { toChild: 0, toParent: 1 } as const;
export type LaneNumber = (typeof LANE)[keyof typeof LANE];
const LANES = 2;

/** Messages of one replica may have any size: both ends run on this machine, and threads have no limit either. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export interface ChildLinkEvents {
  control(message: unknown): void;
  state(values: readonly number[]): void;
  /** A call to the child arrived, and is delivered next. Only the child counts them. */
  arrived?(): void;
  /** The other end is gone. Called once, as the last event. */
  closed(): void;
}

/** The link between a replica's thread and its child process: calls both ways, control messages, and the child's state. */
export class ChildLink {
  readonly #stream: Duplex;
  readonly #socket: TextSocket;
  readonly #events: ChildLinkEvents;
  readonly #link: Link;
  readonly #lanes: readonly [Lane, Lane];
  /** Large memory of received values, which only the value refers to. */
  readonly #large = new WeakMap<object, readonly ArrayBuffer[]>();
  /** Returns the state that goes with the next message of calls; undefined if it is unchanged. */
  takeState: () => readonly number[] | undefined = () => undefined;

  constructor(stream: Duplex, events: ChildLinkEvents) {
    this.#stream = stream;
    this.#events = events;
    this.#lanes = [
      new Lane((frames) => this.#postCalls(LANE.toChild, frames)),
      new Lane((frames) => this.#postCalls(LANE.toParent, frames)),
    ];
    this.#socket = new TextSocket(stream, (message) => this.#receiveText(message));
    this.#link = new Link(
      this.#socket,
      { frames: (frames) => this.#receive(frames), closed: () => this.#closed() },
      { maxPayload: NO_LIMIT, peerMaxPayload: NO_LIMIT },
    );
  }

  /** The transport of the calls in one direction. */
  lane(lane: LaneNumber): FrameTransport {
    return this.#lanes[lane];
  }

  /** The large memory of a result or chunk that arrived, to be moved on with it. */
  largeOf(value: unknown): ArrayBuffer[] | undefined {
    const large = typeof value === 'object' && value !== null ? this.#large.get(value) : undefined;
    return large && [...large];
  }

  /** Sends a message that structured clone can copy. @throws the serializer's error */
  postControl(message: object): void {
    this.#link.post([CHILD_FRAME.control, new Uint8Array(serialize(message))]);
  }

  postState(values: readonly number[]): void {
    this.#link.postAll([[CHILD_FRAME.state, values]]);
  }

  /** Hands everything that was posted to the kernel now, because the process may end next. */
  flush(): void {
    this.#link.flush();
    while (this.#stream.writableCorked > 0) this.#stream.uncork();
  }

  /** Sends calls past the link, unless they are long or JSON cannot express them, or frames wait in the link. */
  #postCalls(lane: LaneNumber, posted: readonly unknown[]): void {
    const state = this.takeState();
    const isIdle = this.#link.isIdle;
    let text = isIdle && lane === LANE.toChild ? encodeBatch(state, posted) : undefined;
    const frames = text === undefined ? withoutParts(posted) : posted;
    if (isIdle) text ??= encodePlainCalls({ lane, state, frames });
    if (text !== undefined) {
      this.#socket.post(text);
      return;
    }
    if (state !== undefined) this.postState(state);
    const split: Frame[] = [];
    for (let at = 0; at < frames.length; ) {
      const length = frameLength(frames, at);
      const frame = frames.slice(at, at + length);
      frame[1] = (frame[1] as number) * LANES + lane;
      split.push(frame);
      at += length;
    }
    // Arguments crossed to this thread for the child alone, and results of the child are copies; of its own calls both ends
    // may need the values again.
    this.#link.postAll(split, lane === LANE.toChild ? PASSED_ON : undefined);
  }

  #receiveText(message: Buffer): void {
    const { lane, state, frames } = decode(message);
    if (state !== undefined) this.#events.state(state);
    if (lane === LANE.toChild && this.#events.arrived !== undefined)
      for (let at = 0; at < frames.length; at += frameLength(frames, at))
        if (frames[at] === FRAME.call || frames[at] === FRAME.callExtra) this.#events.arrived();
    this.#lanes[lane as LaneNumber].deliver(frames);
  }

  #receive(frames: readonly Frame[]): void {
    const calls: [unknown[], unknown[]] = [[], []];
    for (const frame of frames) {
      const [kind] = frame;
      if (kind === CHILD_FRAME.state) {
        this.#events.state(frame[1] as number[]);
      } else if (kind === CHILD_FRAME.control) {
        // Answers that were sent before the message are delivered before it.
        this.#deliver(calls);
        this.#events.control(deserialize(frame[1] as Uint8Array));
      } else {
        const id = frame[1] as number;
        const lane = (id % LANES) as LaneNumber;
        if (lane === LANE.toChild && (kind === FRAME.call || kind === FRAME.callExtra))
          this.#events.arrived?.();
        const large = this.#link.largeOf(frame);
        const [, , value] = frame;
        if (large !== undefined && typeof value === 'object' && value !== null) this.#large.set(value, large);
        const own = calls[lane];
        own.push(kind, Math.floor(id / LANES));
        for (let index = 2; index < frame.length; index++) own.push(frame[index]);
      }
    }
    this.#deliver(calls);
  }

  #deliver(calls: readonly [unknown[], unknown[]]): void {
    for (const [index, frames] of calls.entries())
      if (frames.length > 0) this.#lanes[index as LaneNumber].deliver(frames.splice(0));
  }

  #closed(): void {
    for (const lane of this.#lanes) lane.closed();
    this.#events.closed();
  }
}

/** Whether a message is a text that consists of calls. */
function isTextOfCalls(message: Uint8Array): boolean {
  return isBatch(message) || arePlainCalls(message);
}

function decode(message: Buffer): CallsOfMessage & { readonly lane: number } {
  return isBatch(message) ? { lane: LANE.toChild, ...decodeBatch(message) } : decodePlainCalls(message);
}

/** A stream whose messages are those of a link, and texts between them. */
class TextSocket implements LinkSocket {
  readonly #socket: StreamLinkSocket;
  readonly #receive: (message: Buffer) => void;

  constructor(stream: Duplex, receive: (message: Buffer) => void) {
    this.#socket = new StreamLinkSocket(stream);
    this.#receive = receive;
  }

  get unsent(): number {
    return this.#socket.unsent;
  }

  listen(events: LinkSocketEvents): void {
    this.#socket.listen({
      message: (pieces) => {
        const [first] = pieces;
        if (first === undefined || !isTextOfCalls(first)) events.message(pieces);
        else this.#receive(pieces.length === 1 ? (first as Buffer) : Buffer.concat(pieces));
      },
      closed: (error) => events.closed(error),
    });
  }

  post(text: string): void {
    this.#socket.sendText(text);
  }

  send(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    this.#socket.send(pieces, onWritten);
  }

  close(): void {
    this.#socket.close();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** The calls of one direction. */
class Lane implements FrameTransport {
  /** The gateway measures runs, where waiting for the process counts. */
  readonly timesRuns = true;
  readonly post: (frames: readonly unknown[]) => void;
  #onFrames: (frames: unknown[]) => void = () => {};
  #onClosed: () => void = () => {};

  constructor(post: (frames: readonly unknown[]) => void) {
    this.post = post;
  }

  deliver(frames: unknown[]): void {
    this.#onFrames(frames);
  }

  closed(): void {
    this.#onClosed();
  }

  onFrames(listener: (frames: unknown[]) => void): void {
    this.#onFrames = listener;
  }

  /** A message that cannot be read ends the link. */
  onUnreadable(): void {}

  onClosed(listener: () => void): void {
    this.#onClosed = listener;
  }

  *takeRest(): Generator<unknown[]> {}

  /** The life of the process and of the thread does not depend on the link. */
  ref(): void {}

  unref(): void {}

  close(): void {
    this.#onFrames = () => {};
    this.#onClosed = () => {};
  }
}
