import { now, type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { type DialOptions, dialLink } from '../../wire/dialer.ts';
import type { Session } from '../../wire/handshake.ts';
import type { LinkSocket } from '../../wire/link-socket.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';
import type { FaultCounts } from '../../wire/wire-error.ts';
import { CallLink } from './call-link.ts';
import type { EndpointsStatus, PeerEndpoint } from './endpoint-table.ts';
import { type Ejection, STEADY_MS } from './health/ejection.ts';
import { LinkPulse } from './health/link-pulse.ts';
import type { PeerHealth, PeerStanding } from './health/peer-health.ts';
import { RoundTrip } from './health/round-trip.ts';
import { IdleWatch } from './idle-watch.ts';
import { PeerChannel, type PeerState, type PeerTarget } from './peer-channel.ts';
import type { PeerCounts } from './peer-counts.ts';
import { redialPauseMs } from './redial.ts';
import { SharedWindow } from './windows/shared-window.ts';

/** Opens a link to a peer, as `dialLink` does. */
export type Dial = (
  options: DialOptions,
  onOpen: (session: Session, socket: LinkSocket) => void,
) => Promise<void>;

/** The common parts of the connections of one thread to its peers. */
export interface PeerClientNeeds {
  readonly health: PeerHealth;
  readonly counts: PeerCounts;
  /** Counts the links that end since the peer broke the protocol. */
  readonly faults: FaultCounts;
  /** Default: `dialLink` */
  readonly dial?: Dial | undefined;
}

/** The peer and the way to it. */
export interface PeerClientOptions extends Omit<DialOptions, 'keepsAlive' | 'counts'> {
  /** Epoch of the instance that is expected: in another one the numbers of its endpoints differ. Default: any */
  readonly epoch?: number;
  /** Whether a link is kept open without calls. */
  readonly isKept: boolean;
}

/** The news of a peer. */
export interface PeerEvents {
  /** A link to the peer is open. */
  opened(instance: string): void;
  /** The peer takes calls. */
  up(instance: string, epoch: number): void;
  endpoints(status: EndpointsStatus): void;
  /** The peer takes no calls any more. */
  down(error: Error | undefined): void;
  /** No link to the peer is open any more. */
  closed(error: Error | undefined): void;
  /** The peer could not be dialled. @param failures number of failures in a row */
  failed(error: Error, failures: number): void;
}

/** Time for which a peer that has closed its link may refuse further ones before that counts as a failure, in ms. */
const ENDING_MS = 10_000;

/**
 * One caller thread's connection to a peer: it dials when a call needs a link, or always, and dials again with a back-off.
 * While no link can be had, or the peer is ejected, the channels to the peer take no calls.
 */
export class PeerClient implements PeerState {
  readonly counts: PeerCounts;
  readonly #options: PeerClientOptions;
  readonly #health: PeerHealth;
  readonly #faults: FaultCounts;
  readonly #standing: PeerStanding;
  readonly #dialLink: Dial;
  readonly #events: PeerEvents;
  /** Several may lead to one endpoint: callers may know a deployment by more than one name. */
  readonly #channels = new Set<PeerChannel>();
  /** The deployments of the peer as it described them last, over the link that is open. */
  readonly #described = new Map<number, PeerEndpoint>();
  /** The windows at the endpoints, which the peer may tell before a channel is made. */
  readonly #windows = new Map<number, SharedWindow>();
  #instance: string;
  #link: CallLink | undefined = undefined;
  #openedAt = 0;
  /** Whether the channels may use the open link. */
  #isUp = false;
  #isDialling = false;
  #isDown = false;
  #pulse: LinkPulse | undefined = undefined;
  #trip: RoundTrip | undefined = undefined;
  #isClosed = false;
  /** Set once the client only waits for the end of the calls that are under way. */
  #isFinishing = false;
  #failures = 0;
  /** Time at which the peer closed the last link in order. */
  #closedAt = -Infinity;
  #redial: Timer | undefined = undefined;
  #idleWatch: IdleWatch | undefined = undefined;

  constructor(
    options: PeerClientOptions,
    { health, counts, faults, dial = dialLink }: PeerClientNeeds,
    events: PeerEvents,
  ) {
    this.counts = counts;
    this.#options = options;
    this.#health = health;
    this.#faults = faults;
    this.#dialLink = dial;
    this.#events = events;
    this.#instance = options.expected ?? `${options.host}:${options.port}`;
    this.#standing = health.follow(() => this.#returned());
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

  /** Reason for which the peer gets no calls, even over an open link; undefined if the peer is not ejected. */
  get ejection(): Ejection | undefined {
    return this.#health.ejectionOf(this.#standing);
  }

  /** Round trip of the link, in ms; 0 = unknown. */
  get rttMs(): number {
    return this.#pulse?.rttMs ?? 0;
  }

  /** Makes a channel to an endpoint of the peer. @param onClosed the channel is closed */
  channel(target: PeerTarget, onClosed: () => void): PeerChannel {
    const ended = (): void => {
      this.#channels.delete(channel);
      onClosed();
    };
    const channel = new PeerChannel(this, target, ended, this.#windowOf(target.endpoint));
    this.#channels.add(channel);
    const described = this.#described.get(target.endpoint);
    if (described !== undefined) channel.update(described);
    if (this.#link !== undefined && this.#isUp) channel.linked(this.#link);
    // Without channels the client has not dialled again, and a channel that is down gets no call that would.
    if (this.#isDown) this.dial();
    return channel;
  }

  /** Sends a document of the fleet's protocol; without a link it is lost. */
  control(document: unknown): void {
    this.#link?.post([PEER_FRAME.control, document]);
  }

  dial(): void {
    if (this.#isClosed || this.#isFinishing || this.#isDialling) return;
    if (this.#link !== undefined || this.#redial !== undefined) return;
    this.#isDialling = true;
    // A link outlives the call that needed it first.
    void inRootContext(() => this.#dial());
  }

  /** Closes the link; calls that are under way fail. */
  close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    time.cancel(this.#redial);
    this.#endWatches();
    this.#health.forget(this.#standing);
    this.#link?.abandon();
    for (const channel of [...this.#channels]) channel.finished(error);
  }

  /**
   * Closes the link once the calls that are under way over it have ended; no more are sent.
   *
   * @param error of calls that no link has sent and that nothing else can take
   */
  async finish(error: Error): Promise<void> {
    if (this.#link !== undefined) {
      this.#isFinishing = true;
      await Promise.all(Array.from(this.#channels, (channel) => channel.finish()));
    }
    this.close(error);
  }

  async #dial(): Promise<void> {
    const { epoch, isKept: _, ...options } = this.#options;
    const counts = this.#faults;
    try {
      await this.#dialLink({ ...options, keepsAlive: false, counts }, (session, socket) => {
        const link = new CallLink(
          session,
          socket,
          options.self.maxPayload,
          {
            endpoints: (status) => this.#update(status),
            window: (endpoint, calls) => this.#windowOf(endpoint).told(calls),
            draining: () => {
              for (const channel of this.#channels) channel.stop();
              this.#forgetWindows();
            },
            pong: (number) => this.#pong(link, number),
            drained: () => {
              for (const channel of this.#channels) channel.sendWaiting();
            },
            closed: (error) => this.#closed(link, error),
          },
          this.counts,
          counts,
        );
        if (this.#isClosed) link.close();
        else if (epoch !== undefined && epoch !== session.epoch) this.#mistaken(link);
        else this.#opened(link);
      });
    } catch (error) {
      this.#isDialling = false;
      if (this.#isClosed) return;
      // A peer that closed its link in order is ending, which the fleet says soon: no reason for a warning or an ejection.
      const isEnding = now() - this.#closedAt < ENDING_MS;
      if (!isEnding) this.#health.failed(this.#standing);
      this.#events.failed(error as Error, isEnding ? 0 : this.#failures + 1);
      this.#lost(error as Error);
    }
  }

  /** The instance has restarted, and its endpoints have other numbers. */
  #mistaken(link: CallLink): void {
    const error = new Error(`instance ${link.session.instance} has restarted`);
    this.#isDialling = false;
    link.destroy(error);
    this.#lost(error);
  }

  #opened(link: CallLink): void {
    this.#isDialling = false;
    this.#link = link;
    this.#openedAt = now();
    this.#instance = link.session.instance;
    this.#events.opened(this.#instance);
    this.#trip = new RoundTrip((number) => link.post([PEER_FRAME.ping, number]), now);
    this.#watchPulse(link);
    if (!this.#options.isKept) this.#watchIdle();
    this.#health.opened(this.#standing);
    if (!this.#standing.isOut && !this.#isUp) this.#takeCalls(link);
  }

  /** The peer is not ejected any more. */
  #returned(): void {
    if (this.#link !== undefined && !this.#isUp) this.#takeCalls(this.#link);
  }

  /** The channels use the link from now on. */
  #takeCalls(link: CallLink): void {
    this.#isUp = true;
    this.#isDown = false;
    this.#events.up(link.session.instance, link.session.epoch);
    if (this.#described.size > 0)
      this.#events.endpoints({ kind: 'endpoints', endpoints: [...this.#described.values()], gone: [] });
    for (const channel of this.#channels) channel.linked(link);
    for (const channel of this.#channels) channel.sendWaiting();
  }

  /**
   * Pings the peer: a process that is frozen closes no link. A kept link is judged all the time, since the calls of the host go
   * over a link of its own; that one while calls are under way. Only the dialler judges: a host that is blocked could not
   * answer, and must not lose its calls for that.
   */
  #watchPulse(link: CallLink): void {
    const { isKept } = this.#options;
    const channels = this.#channels;
    this.#pulse = new LinkPulse(
      {
        get isBusy() {
          return isKept || [...channels].some(({ outstanding }) => outstanding > 0);
        },
        get heard() {
          return link.heard;
        },
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
    for (const number of status.gone) {
      this.#described.delete(number);
      this.#windows.delete(number);
    }
    for (const endpoint of status.endpoints) {
      this.#described.set(endpoint.number, endpoint);
      for (const channel of this.#channels)
        if (channel.endpoint === endpoint.number) channel.update(endpoint);
    }
    if (this.#isUp) this.#events.endpoints(status);
  }

  #closed(link: CallLink, error: Error | undefined): void {
    // The end of a link that is not used any more says nothing about the dial that may be under way.
    if (this.#link !== link) return;
    const wasUp = this.#isUp;
    this.#leave();
    if (this.#isClosed) return;
    const at = now();
    this.#closedAt = error === undefined ? at : -Infinity;
    if (at - this.#openedAt >= STEADY_MS) this.#failures = 0;
    this.#health.closed(this.#standing, error !== undefined);
    this.#lost(error);
    if (wasUp) this.#events.down(error);
    this.#events.closed(error);
  }

  /** No link could be opened, or the link broke: calls go elsewhere until another one is open. */
  #lost(error: Error | undefined): void {
    this.#isDown = true;
    this.#failures++;
    this.#unlink(error);
    if (this.#isClosed || this.#isFinishing || (!this.#options.isKept && this.#channels.size === 0)) return;
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
    for (const channel of [...this.#channels]) channel.unlinked(error);
    this.#forgetWindows();
  }

  #windowOf(endpoint: number): SharedWindow {
    const known = this.#windows.get(endpoint);
    if (known !== undefined) return known;
    const window = new SharedWindow(now);
    this.#windows.set(endpoint, window);
    return window;
  }

  /** What the peer told is not valid any more. */
  #forgetWindows(): void {
    for (const [endpoint, window] of this.#windows) if (!window.isUsed) this.#windows.delete(endpoint);
  }

  #watchIdle(): void {
    const channels = (): Iterable<PeerChannel> => this.#channels;
    const look = (): void => this.#trip?.measure();
    this.#idleWatch = new IdleWatch(channels, look, () => this.#rest());
  }

  /** Closes the link, which is dialled again when a call needs it. */
  #rest(): void {
    const link = this.#link;
    // No call is sent over a link that is about to close.
    this.#leave();
    this.#health.closed(this.#standing, false);
    this.#unlink(undefined);
    link?.close();
  }

  /** The open link is not used any more. */
  #leave(): void {
    this.#link = undefined;
    this.#isUp = false;
    this.#endWatches();
  }

  #endWatches(): void {
    this.#pulse?.close();
    this.#idleWatch?.close();
  }
}
