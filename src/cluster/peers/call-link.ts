import { FRAME } from '../../channel/frames.ts';
import type { Session } from '../../wire/handshake.ts';
import type { Frame } from '../../wire/large-receiver.ts';
import { Link } from '../../wire/link.ts';
import type { LinkEvents, LinkTraffic } from '../../wire/link-options.ts';
import type { LinkSocket } from '../../wire/link-socket.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';
import { SentArguments } from '../../wire/sent-memory.ts';
import type { FaultCounts } from '../../wire/wire-error.ts';
import { type EndpointsStatus, readEndpoints } from './endpoint-table.ts';

/** Unsent bytes of a link from which no further call is sent over it. */
const SATURATED_BYTES = 8_388_608;

/** The transport of one channel, as its link sees it. */
export interface LinkUser {
  /** Frames of the channel's calls arrived, in the form of threads. */
  deliver(frames: unknown[]): void;
  /** The call in a slot has ended: its id belongs to other calls from now on. */
  released(slot: number): void;
  /** The peer gives a call back that has not begun. @param window undefined: the endpoint accepts no more calls */
  returned(slot: number, window: number | undefined): void;
}

/** The events of a link beside those of its calls. */
export interface CallLinkEvents {
  endpoints(status: EndpointsStatus): void;
  window(endpoint: number, calls: number): void;
  /** The peer accepts no more calls. */
  draining(): void;
  pong(number: number): void;
  /** The link was saturated, and has written what waited. */
  drained(): void;
  closed(error: Error | undefined): void;
}

/** The dialer's end of a link. It carries the calls of several channels, whose ids are unique on the link. */
export class CallLink implements LinkEvents {
  readonly session: Session;
  /** Half of the round trip, in ms; 0 = unknown. */
  halfTripMs = 0;
  readonly #events: CallLinkEvents;
  readonly #link: Link;
  /** Channel and slot of each open call, by id. */
  readonly #users: Array<LinkUser | undefined> = [];
  readonly #slots: number[] = [];
  readonly #free: number[] = [];
  #heard = 0;
  /** Whether calls went elsewhere since the link was saturated. */
  #wasSaturated = false;
  /** Memory of the calls whose own frame was large, by id: the peer may not know them yet. */
  readonly #large = new Map<number, SentArguments | undefined>();

  /**
   * @param traffic counts the bytes of the link
   * @param faults counts the messages of the peer that end the link
   */
  constructor(
    session: Session,
    socket: LinkSocket,
    maxPayload: number,
    events: CallLinkEvents,
    traffic?: LinkTraffic,
    faults?: FaultCounts,
  ) {
    this.session = session;
    this.#events = events;
    const { maxPayload: peerMaxPayload, views: peerViews } = session;
    this.#link = new Link(socket, this, { maxPayload, peerMaxPayload, peerViews, traffic, counts: faults });
  }

  /** Whether so much is unsent that calls should go elsewhere. After it was true, `drained` is called once there is room again. */
  get isSaturated(): boolean {
    const isSaturated = this.#link.unsent > SATURATED_BYTES;
    if (isSaturated) this.#wasSaturated = true;
    return isSaturated;
  }

  /** Number of messages that arrived. */
  get heard(): number {
    return this.#heard;
  }

  /** Number of open calls. */
  get outstanding(): number {
    return this.#users.length - this.#free.length;
  }

  /**
   * Sends the frame of a call, whose slot is replaced by the call's id.
   *
   * @param memory the memory of the arguments that only the call refers to: it is freed once the call is answered
   * @returns the id
   * @throws ServeError of the codec; the frame is unchanged then
   */
  open(user: LinkUser, frame: unknown[], memory?: readonly ArrayBuffer[]): number {
    const slot = frame[1] as number;
    const id = this.#free.pop() ?? this.#users.length;
    this.#users[id] = user;
    this.#slots[id] = slot;
    frame[1] = id;
    try {
      const sent = memory && new SentArguments(memory);
      if (this.#link.post(frame as Frame, sent)) this.#large.set(id, sent);
    } catch (error) {
      frame[1] = slot;
      this.#release(id);
      throw error;
    }
    return id;
  }

  /** Sends a further frame of an open call. */
  post(frame: readonly unknown[]): void {
    this.#link.post(frame);
  }

  /** Sends the cancellation of a call. What it has not sent of its upload is dropped. */
  cancel(frame: readonly unknown[]): void {
    const id = frame[1] as number;
    if (!this.#large.has(id)) this.#link.cancel(id);
    this.#link.post(frame);
  }

  /** Whether the peer cannot have begun a call of a link that has ended: its frame was not sent, or not completely. */
  isUnsent(id: number): boolean {
    return this.#link.unsentCalls.has(id);
  }

  close(): void {
    this.#link.close();
  }

  /** Ends the link after the collected frames, without the rest of large ones, and without an event. */
  abandon(): void {
    this.#link.abandon();
    this.#keepMemory();
  }

  destroy(error: Error): void {
    this.#link.destroy(error);
  }

  frames(frames: readonly Frame[]): void {
    this.#heard++;
    let user: LinkUser | undefined;
    let batch: unknown[] = [];
    const deliver = (): void => {
      if (batch.length > 0) user?.deliver(batch);
      batch = [];
    };
    for (const frame of frames) {
      const [kind, id] = frame as readonly [number, number];
      const owner = isOfCall(kind) ? this.#users[id] : undefined;
      if (owner !== user || owner === undefined) deliver();
      user = owner;
      if (owner === undefined) {
        if (!isOfCall(kind)) this.#control(kind, frame);
        continue;
      }
      const slot = this.#slots[id] as number;
      if (isLast(kind)) {
        const sent = this.#large.get(id);
        if (mayComeAgain(kind)) sent?.returned();
        else sent?.answered();
        // The next call with the id must not wait behind the rest of an upload, nor be dropped with it.
        this.#link.cancel(id);
        this.#release(id);
        owner.released(slot);
      }
      if (kind < PEER_FRAME.hello) {
        batch.push(kind, slot);
        for (let index = 2; index < frame.length; index++) batch.push(frame[index]);
        continue;
      }
      deliver();
      owner.returned(slot, frame[2] as number | undefined);
    }
    deliver();
  }

  drained(): void {
    if (!this.#wasSaturated || this.isSaturated) return;
    this.#wasSaturated = false;
    this.#events.drained();
  }

  closed(error: Error | undefined): void {
    this.#users.length = 0;
    this.#free.length = 0;
    this.#keepMemory();
    this.#events.closed(error);
  }

  /** Calls without an answer may be sent again, over another link. */
  #keepMemory(): void {
    for (const sent of this.#large.values()) sent?.returned();
    this.#large.clear();
  }

  #release(id: number): void {
    this.#users[id] = undefined;
    this.#large.delete(id);
    this.#free.push(id);
  }

  #control(kind: number, frame: Frame): void {
    switch (kind) {
      case PEER_FRAME.window:
        this.#events.window(frame[1] as number, frame[2] as number);
        return;
      case PEER_FRAME.draining:
        this.#events.draining();
        return;
      case PEER_FRAME.pong:
        this.#events.pong(frame[1] as number);
        return;
      case PEER_FRAME.status:
        this.#status(frame[1]);
        return;
    }
  }

  #status(value: unknown): void {
    try {
      const status = readEndpoints(value);
      if (status !== undefined) this.#events.endpoints(status);
    } catch (error) {
      this.#link.destroy(error as Error);
    }
  }
}

/** Whether a frame belongs to a call, whose id is its first field. */
function isOfCall(kind: number): boolean {
  return kind < PEER_FRAME.hello || kind === PEER_FRAME.refused || kind === PEER_FRAME.moved;
}

/** Whether a call may be sent again after this last frame: the peer has not begun it, or has lost the replica that ran it. */
function mayComeAgain(kind: number): boolean {
  return kind === PEER_FRAME.refused || kind === PEER_FRAME.moved || kind === FRAME.lost;
}

/** Whether a frame is the last one of its call. */
function isLast(kind: number): boolean {
  switch (kind) {
    case FRAME.result:
    case FRAME.resultMarked:
    case FRAME.error:
    case FRAME.end:
    case FRAME.lost:
    case FRAME.answer:
    case FRAME.answerMarked:
      return true;
    default:
      return kind >= PEER_FRAME.hello;
  }
}
