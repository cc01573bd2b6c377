import { FRAME } from '../../channel/frames.ts';
import type { FrameTransport } from '../../channel/transport.ts';
import { now } from '../../time/clock.ts';
import type { CallLink, LinkUser } from './call-link.ts';
import type { HandoverLedger } from './handover-ledger.ts';

/** What a peer says of calls beside their answers. */
export interface PeerAnswers {
  /** The call in a slot could not be sent. */
  refused(slot: number, error: unknown): void;
  returned(slot: number, window: number | undefined): void;
  /** Answers of this many calls were delivered. */
  answered(calls: number): void;
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
  /** Frames that wait for a link, in order. */
  #waiting: unknown[][] = [];
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
    for (const frame of waiting) this.#postLate(link, frame);
  }

  /** The link is gone, and with it the calls that were handed to it. */
  unlinked(): void {
    this.#link = undefined;
    this.#ids.length = 0;
    this.#waiting = [];
  }

  /** @param frame one frame: the loop of a peer's channel collects nothing, since links collect themselves */
  post(frame: unknown[]): void {
    const link = this.#link;
    if (link !== undefined) {
      this.#post(link, frame);
      return;
    }
    this.#waiting.push(frame);
    this.#dial();
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

  #post(link: CallLink, frame: unknown[]): void {
    const [kind, slot] = frame as [number, number];
    if (kind === FRAME.call || kind === FRAME.callExtra) {
      this.#open(link, frame, slot);
      return;
    }
    const id = this.#ids[slot];
    if (id === undefined) return;
    frame[1] = id;
    if (kind === FRAME.cancel) link.cancel(frame);
    else link.post(frame);
  }

  #open(link: CallLink, frame: unknown[], slot: number): void {
    const number = frame[2];
    const expiresAt = frame[4] as number;
    frame[2] = this.#endpoint;
    // Instances have no clock in common, so the remaining time travels.
    frame[4] = expiresAt === 0 ? 0 : Math.max(1, Math.ceil(expiresAt - now()));
    try {
      this.#ids[slot] = link.open(this, frame);
    } catch (error) {
      frame[2] = number;
      throw error;
    }
    this.#ledger.handedOver(slot);
  }

  /** Sends a frame that waited, unless its call has ended meanwhile. */
  #postLate(link: CallLink, frame: unknown[]): void {
    const [kind, slot, number] = frame as [number, number, number];
    const isCall = kind === FRAME.call || kind === FRAME.callExtra;
    if (isCall && !this.#ledger.isWaiting(slot, number)) return;
    try {
      this.#post(link, frame);
    } catch (error) {
      this.#answers?.refused(slot, error);
    }
  }
}
