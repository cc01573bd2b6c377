import type { ThreadTime, Timer } from '../../../time/clock.ts';

/** Interval between two pings while calls are under way, in ms. */
const PING_MS = 5_000;
/** Time limit of a pong, in ms. */
const PONG_MS = 3_000;
/** Weight of the last round trip in the average. */
const NEWEST = 0.25;

/** The link whose pulse is taken. */
export interface PulseLink {
  /** Whether calls are under way over the link. */
  readonly isBusy: boolean;
  /** Number of messages that came over the link. */
  readonly heard: number;
  /** Sends a frame `ping`. */
  ping(number: number): void;
  /** The peer is silent: the link must be destroyed. Called once. */
  silent(): void;
}

/** Time and timers of pulses. */
export type PulseTime = Pick<ThreadTime, 'now' | 'after' | 'every' | 'soon' | 'cancel'>;

/**
 * Pings the peer of one link while calls are under way, so that a peer that is silent is found out within 8 s, and
 * measures the round trip.
 */
export class LinkPulse {
  readonly #link: PulseLink;
  readonly #time: PulseTime;
  readonly #ticker: Timer;
  #limit: Timer | undefined = undefined;
  #number = 0;
  /** Messages that had come when the time limit of the open ping began. */
  #heard = 0;
  /** Time at which the open ping was sent; undefined = each ping was answered. */
  #sentAt: number | undefined = undefined;
  #rttMs: number | undefined = undefined;

  /** The link opened: the first ping measures the round trip. */
  constructor(link: PulseLink, time: PulseTime) {
    this.#link = link;
    this.#time = time;
    this.#ticker = time.every(PING_MS, () => {
      if (this.#link.isBusy) this.#ping();
    });
    this.#ticker.unref();
    this.#ping();
  }

  /** Round trip of the link, in ms: a moving average; 0 before the first pong. */
  get rttMs(): number {
    return this.#rttMs ?? 0;
  }

  /** A frame `pong` came. */
  pong(number: number): void {
    if (number !== this.#number || this.#sentAt === undefined) return;
    const ms = this.#time.now() - this.#sentAt;
    this.#rttMs = this.#rttMs === undefined ? ms : this.#rttMs + (ms - this.#rttMs) * NEWEST;
    this.#sentAt = undefined;
    this.#time.cancel(this.#limit);
    this.#limit = undefined;
  }

  close(): void {
    this.#sentAt = undefined;
    this.#time.cancel(this.#ticker);
    this.#time.cancel(this.#limit);
  }

  #ping(): void {
    if (this.#sentAt !== undefined) return;
    this.#sentAt = this.#time.now();
    const number = ++this.#number;
    this.#await(number);
    this.#link.ping(number);
  }

  #await(number: number): void {
    this.#heard = this.#link.heard;
    // After a block of the loop timers fire before sockets are read: a pong counts as missing only once they were read.
    this.#limit = this.#time.after(PONG_MS, () => {
      this.#limit = this.#time.soon(() => this.#expired(number));
    });
    this.#limit.unref();
  }

  #expired(number: number): void {
    if (this.#sentAt === undefined || number !== this.#number) return;
    // The pong waits behind other messages.
    if (this.#link.heard !== this.#heard) {
      this.#await(number);
      return;
    }
    this.close();
    this.#link.silent();
  }
}
