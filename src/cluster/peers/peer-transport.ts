import { FRAME, frameLength, type PackedMeta, unpackMeta } from '../../channel/frames.ts';
import type { UploadedChunk } from '../../channel/outbound-call.ts';
import type { FrameTransport } from '../../channel/transport.ts';
import { now } from '../../time/clock.ts';
import type { CallLink, LinkUser } from './call-link.ts';
import type { HandoverLedger } from './handover-ledger.ts';

/** The remaining time of a call whose deadline passes on the way: the peer answers that it is late. */
const EXPIRED = -1;

/** Receives the messages of a peer about calls, other than answers. */
export interface PeerAnswers {
  /** The call in a slot could not be sent. */
  refused(slot: number, error: unknown): void;
  returned(slot: number, window: number | undefined): void;
  /** Answers of this many calls were delivered. */
  answered(calls: number): void;
}

interface WaitingFrame {
  readonly frame: unknown[];
  readonly memory: readonly ArrayBuffer[] | undefined;
}

/** Connects a channel with the link to its peer. Frames wait while no link is open. */
export class PeerTransport implements FrameTransport, LinkUser {
  readonly #endpoint: number;
  readonly #ledger: HandoverLedger;
  /** Opens a link. */
  readonly #dial: () => void;
  #answers: PeerAnswers | undefined = undefined;
  #link: CallLink | undefined = undefined;
  /** Id of the call in each slot. */
  readonly #ids: Array<number | undefined> = [];
  /** Parts of bodies by slot, while their calls may still come back. */
  readonly #uploads: Array<Array<UploadedChunk | undefined> | undefined> = [];
  /** Frames that wait for a link, in order. */
  #waiting: WaitingFrame[] = [];
  /** Whether any call had a body to upload. */
  #keeps = false;
  /** Number of calls that ended since the last delivery. */
  #ended = 0;
  #onFrames: (frames: unknown[]) => void = () => {};

  constructor(endpoint: number, ledger: HandoverLedger, dial: () => void) {
    this.#endpoint = endpoint;
    this.#ledger = ledger;
    this.#dial = dial;
  }

  listen(answers: PeerAnswers): void {
    this.#answers = answers;
  }

  /** A link is open: the frames that waited for it leave. */
  linked(link: CallLink): void {
    this.#link = link;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { frame, memory } of waiting) this.#postLate(link, frame, memory);
  }

  /** The link is gone, and with it the calls that it has sent. */
  unlinked(): void {
    const link = this.#link;
    if (link !== undefined)
      for (const [slot, id] of this.#ids.entries())
        if (id !== undefined && link.isUnsent(id)) this.#ledger.unsent(slot);
    this.#link = undefined;
    this.#ids.length = 0;
    this.#waiting = [];
  }

  /**
   * @param frame one frame: the loop of a peer's channel collects nothing, since links collect themselves
   * @param memory memory that only the frame refers to
   */
  post(frame: unknown[], memory?: readonly ArrayBuffer[]): void {
    this.#keep(frame);
    const link = this.#link;
    if (link !== undefined) {
      this.#post(link, frame, memory);
      return;
    }
    this.#waiting.push({ frame, memory });
    this.#dial();
  }

  /** Takes the uploaded parts of a call's body. */
  takeUploads(slot: number): Array<UploadedChunk | undefined> | undefined {
    const uploads = this.#uploads[slot];
    this.#uploads[slot] = undefined;
    return uploads;
  }

  onFrames(listener: (frames: unknown[]) => void): void {
    this.#onFrames = listener;
  }

  onUnreadable(): void {}

  /** A channel outlives its links: who owns both tells it of their end. */
  onClosed(): void {}

  takeRest(): Iterable<unknown[]> {
    return [];
  }

  ref(): void {}
  unref(): void {}

  close(): void {
    this.unlinked();
  }

  deliver(frames: unknown[]): void {
    // Calls that answer have begun.
    if (this.#keeps)
      for (let at = 0; at < frames.length; at += frameLength(frames, at))
        this.#uploads[frames[at + 1] as number] = undefined;
    this.#onFrames(frames);
    const ended = this.#ended;
    this.#ended = 0;
    this.#answers?.answered(ended);
  }

  released(slot: number): void {
    this.#ids[slot] = undefined;
    this.#ended++;
  }

  returned(slot: number, window: number | undefined): void {
    this.#answers?.returned(slot, window);
  }

  /** Keeps parts of bodies, which are uploaded again if the call is given back. */
  #keep(frame: readonly unknown[]): void {
    const [kind, slot] = frame as readonly [number, number];
    if (kind === FRAME.callExtra) {
      const isUpload = unpackMeta(frame.at(-2) as PackedMeta)?.upload !== undefined;
      this.#uploads[slot] = isUpload ? [] : undefined;
      this.#keeps ||= isUpload;
    } else if (kind === FRAME.chunk) {
      this.#uploads[slot]?.push({ value: frame[2], bytes: frame[3] as number });
    } else if (kind === FRAME.end) {
      this.#uploads[slot]?.push(undefined);
    }
  }

  #post(link: CallLink, frame: unknown[], memory: readonly ArrayBuffer[] | undefined): void {
    const [kind, slot] = frame as [number, number];
    if (kind === FRAME.call || kind === FRAME.callExtra) {
      this.#open(link, frame, slot, memory);
      return;
    }
    const id = this.#ids[slot];
    if (id === undefined) return;
    frame[1] = id;
    if (kind === FRAME.cancel) link.cancel(frame);
    else link.post(frame);
  }

  #open(link: CallLink, frame: unknown[], slot: number, memory: readonly ArrayBuffer[] | undefined): void {
    const number = frame[2];
    const expiresAt = frame[4] as number;
    frame[2] = this.#endpoint;
    // Instances have no clock in common, so the time travels that will remain when the call arrives.
    const remaining = Math.ceil(expiresAt - now() - link.halfTripMs);
    frame[4] = expiresAt === 0 ? 0 : remaining > 0 ? remaining : EXPIRED;
    try {
      this.#ids[slot] = link.open(this, frame, memory);
    } catch (error) {
      frame[2] = number;
      throw error;
    }
    this.#ledger.handedOver(slot);
  }

  /** Sends a frame that waited, unless its call has ended meanwhile. */
  #postLate(link: CallLink, frame: unknown[], memory: readonly ArrayBuffer[] | undefined): void {
    const [kind, slot, number] = frame as [number, number, number];
    const isCall = kind === FRAME.call || kind === FRAME.callExtra;
    if (isCall && !this.#ledger.isWaiting(slot, number)) return;
    try {
      this.#post(link, frame, memory);
    } catch (error) {
      this.#answers?.refused(slot, error);
    }
  }
}
