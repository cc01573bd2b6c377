import { now, type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { type DialOptions, dialLink } from '../../wire/dialer.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';
import { CallLink } from './call-link.ts';
import type { EndpointsStatus, PeerEndpoint } from './endpoint-table.ts';
import { LinkPulse } from './health/link-pulse.ts';
import { RoundTrip } from './health/round-trip.ts';
import { PeerChannel, type PeerState, type PeerTarget } from './peer-channel.ts';
import { redialPauseMs } from './redial.ts';

/** A link without calls is closed after this time, in ms. */
const IDLE_MS = 60_000;
/** Period at which idle links are looked for, in ms. */
const IDLE_LOOK_MS = 10_000;

/** The peer and the way to it. */
export interface PeerClientOptions extends Omit<DialOptions, 'keepsAlive'> {
  /** Epoch of the instance that is expected: in another one the numbers of its endpoints differ. Default: any */
  readonly epoch?: number;
  /** Whether a link is kept open without calls. */
  readonly isKept: boolean;
}

/** The news of a peer. */
export interface PeerEvents {
  up(instance: string, epoch: number): void;
  endpoints(status: EndpointsStatus): void;
  /** No link to the peer is open any more. */
  down(error: Error | undefined): void;
  /** The peer could not be dialled. */
  failed(error: Error): void;
}

/**
 * One caller thread's connection to a peer: it dials when a call needs a link, or always, and dials again with a back-off.
 * While no link can be had, the channels to the peer take no calls.
 */
export class PeerClient implements PeerState {
  readonly #options: PeerClientOptions;
  readonly #events: PeerEvents;
  readonly #channels = new Map<number, PeerChannel>();
  /** The deployments of the peer as it described them last, over the link that is open. */
  readonly #described = new Map<number, PeerEndpoint>();
  #instance: string;
  #link: CallLink | undefined = undefined;
  #isDialling = false;
  #isDown = false;
  #pulse: LinkPulse | undefined = undefined;
  #trip: RoundTrip | undefined = undefined;
  #isClosed = false;
  #failures = 0;
  #redial: Timer | undefined = undefined;
  #idleLook: Timer | undefined = undefined;
  #idleSince = 0;
  #lastCalls = 0;

  constructor(options: PeerClientOptions, events: PeerEvents) {
    this.#options = options;
    this.#events = events;
    this.#instance = options.expected ?? `${options.host}:${options.port}`;
    if (options.isKept) this.dial();
  }

  get instance(): string {
    return this.#instance;
  }

  /** Epoch of the peer to which a link is open; undefined without a link. */
  get epoch(): number | undefined {
    return this.#link?.session.epoch;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Round trip of the link, in ms; 0 = unknown. Only links that are kept are measured. */
  get rttMs(): number {
    return this.#pulse?.rttMs ?? 0;
  }

  /** Makes a channel to an endpoint of the peer. @param onClosed the channel is closed */
  channel(target: PeerTarget, onClosed: () => void): PeerChannel {
    const channel = new PeerChannel(this, target, () => {
      if (this.#channels.get(target.endpoint) === channel) this.#channels.delete(target.endpoint);
      onClosed();
    });
    this.#channels.set(target.endpoint, channel);
    const described = this.#described.get(target.endpoint);
    if (described !== undefined) channel.update(described);
    if (this.#link !== undefined) channel.linked(this.#link);
    return channel;
  }

  /** Sends a document of the fleet's protocol; without a link it is lost. */
  control(document: unknown): void {
    this.#link?.post([PEER_FRAME.control, document]);
  }

  dial(): void {
    if (this.#isClosed || this.#isDialling || this.#link !== undefined || this.#redial !== undefined) return;
    this.#isDialling = true;
    // A link outlives the call that needed it first.
    void inRootContext(() => this.#dial());
  }

  /** Closes the link; calls that are under way fail. */
  close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    time.cancel(this.#redial);
    time.cancel(this.#idleLook);
    this.#pulse?.close();
    for (const channel of [...this.#channels.values()]) channel.close(error);
    this.#link?.close();
  }

  async #dial(): Promise<void> {
    const { epoch, isKept: _, ...options } = this.#options;
    try {
      await dialLink({ ...options, keepsAlive: false }, (session, socket) => {
        const link = new CallLink(session, socket, options.self.maxPayload, {
          endpoints: (status) => this.#update(status),
          window: (endpoint, calls) => this.#channels.get(endpoint)?.open(calls),
          draining: () => {
            for (const channel of this.#channels.values()) channel.stop();
          },
          pong: (number) => this.#pong(link, number),
          closed: (error) => this.#closed(link, error),
        });
        if (this.#isClosed) link.close();
        else if (epoch !== undefined && epoch !== session.epoch)
          link.destroy(new Error(`instance ${session.instance} has started anew`));
        else this.#opened(link);
      });
    } catch (error) {
      this.#isDialling = false;
      if (this.#isClosed) return;
      this.#events.failed(error as Error);
      this.#lost(error as Error);
    }
  }

  #opened(link: CallLink): void {
    const { instance, epoch } = link.session;
    this.#isDialling = false;
    this.#isDown = false;
    this.#failures = 0;
    this.#link = link;
    this.#instance = instance;
    this.#events.up(instance, epoch);
    this.#trip = new RoundTrip((number) => link.post([PEER_FRAME.ping, number]), now);
    for (const channel of this.#channels.values()) channel.linked(link);
    for (const channel of this.#channels.values()) channel.reachable();
    if (this.#options.isKept) this.#watchPulse(link);
    else this.#watchIdle();
  }

  /**
   * Pings the peer: a process that is frozen closes no link. Only links between fleet threads are judged by that, since a
   * blocked host cannot answer and need not. They are judged all the time, for the calls of the host go over a link of its own.
   */
  #watchPulse(link: CallLink): void {
    this.#pulse = new LinkPulse(
      {
        isBusy: true,
        ping: (number) => link.post([PEER_FRAME.ping, number]),
        silent: () => link.destroy(new Error(`instance ${this.#instance} did not answer a ping in time`)),
      },
      time,
    );
  }

  #pong(link: CallLink, number: number): void {
    this.#trip?.pong(number);
    if (number > 0) {
      this.#pulse?.pong(number);
      this.#trip?.measure();
    }
    link.halfTripMs = this.#trip?.halfMs ?? 0;
  }

  #update(status: EndpointsStatus): void {
    for (const number of status.gone) this.#described.delete(number);
    for (const endpoint of status.endpoints) {
      this.#described.set(endpoint.number, endpoint);
      this.#channels.get(endpoint.number)?.update(endpoint);
    }
    this.#events.endpoints(status);
  }

  #closed(link: CallLink, error: Error | undefined): void {
    const wasOpen = this.#link === link;
    if (!wasOpen && !this.#isDialling) return;
    this.#isDialling = false;
    this.#link = undefined;
    this.#pulse?.close();
    time.cancel(this.#idleLook);
    if (this.#isClosed) return;
    this.#lost(error);
    if (wasOpen) this.#events.down(error);
  }

  /** No link could be opened, or the link broke: calls go elsewhere until another one is open. */
  #lost(error: Error | undefined): void {
    this.#isDown = true;
    this.#failures++;
    this.#unlink(error);
    if (this.#isClosed || (!this.#options.isKept && this.#channels.size === 0)) return;
    const pause = redialPauseMs(this.#failures, time.random());
    this.#redial = inRootContext(() =>
      time.after(pause, () => {
        this.#redial = undefined;
        this.dial();
      }),
    );
    this.#redial.unref();
  }

  #unlink(error: Error | undefined): void {
    this.#described.clear();
    for (const channel of [...this.#channels.values()]) channel.unlinked(error);
  }

  #watchIdle(): void {
    time.cancel(this.#idleLook);
    this.#idleSince = now();
    this.#idleLook = time.every(IDLE_LOOK_MS, () => this.#lookIdle());
    this.#idleLook.unref();
  }

  #lookIdle(): void {
    const at = now();
    let calls = 0;
    let outstanding = 0;
    for (const channel of this.#channels.values()) {
      calls += channel.served;
      outstanding += channel.outstanding;
    }
    if (outstanding > 0 || calls !== this.#lastCalls) this.#idleSince = at;
    this.#lastCalls = calls;
    this.#trip?.measure();
    if (at - this.#idleSince >= IDLE_MS) this.#rest();
  }

  /** Closes the link, which is dialled again when a call needs it. */
  #rest(): void {
    const link = this.#link;
    // No call is sent over a link that is about to close.
    this.#link = undefined;
    time.cancel(this.#idleLook);
    this.#unlink(undefined);
    link?.close();
  }
}
