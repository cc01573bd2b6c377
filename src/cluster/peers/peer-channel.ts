import type { CallChannel } from '../../channel/call-channel.ts';
import { CallerEnd } from '../../channel/caller-end.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { hash } from '../../load/hash.ts';
import { HOLDS_NOTHING } from '../../load/holding.ts';
import { RESERVED, type Reservation } from '../../load/load-table.ts';
import type { ReplicaHashes } from '../../load/replica-hashes.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import { beginBatch, now } from '../../time/clock.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';
import type { CallLink } from './call-link.ts';
import type { PeerEndpoint } from './endpoint-table.ts';
import { HandoverLedger } from './handover-ledger.ts';
import { linkLost } from './link-lost.ts';
import { PeerModels } from './models/peer-models.ts';
import type { PeerCounts } from './peer-counts.ts';
import { type PeerAnswers, PeerTransport } from './peer-transport.ts';
import type { SharedWindow, WindowUser } from './windows/shared-window.ts';

/** Links collect frames themselves: a channel hands them over at once. */
const AT_ONCE = {
  maxAnswers: Infinity,
  postsAtOnce: false,
  collect: (collector: { flush(): void }) => collector.flush(),
};

const NO_HASHES: ReplicaHashes = { count: 0, at: () => 0 };

/** The peer that a channel leads to, as the channel sees it. */
export interface PeerState {
  readonly instance: string;
  /** Whether the peer takes no calls at the moment. */
  readonly isDown: boolean;
  /** Counts of the calls to all peers. */
  readonly counts: PeerCounts;
  /** Opens a link. */
  dial(): void;
}

/** The deployment at a peer that a channel leads to. */
export interface PeerTarget {
  /** Number of the endpoint at the peer. */
  readonly endpoint: number;
  readonly methods: readonly string[];
}

/**
 * The caller's end of a channel to a deployment in another instance. The instance itself places the calls: this end sends no
 * more of them at a time than the instance's window says, and takes back those that find no place there.
 */
export class PeerChannel extends CallerEnd implements CallChannel, PeerAnswers, WindowUser {
  readonly isInline = false;
  readonly tier = 'peer';
  readonly tally = new ReplicaTally();
  readonly holding = HOLDS_NOTHING;
  readonly models = new PeerModels();
  replicaHashes: ReplicaHashes = NO_HASHES;
  readonly isStuck = false;
  readonly endpoint: number;
  readonly #peer: PeerState;
  readonly #transport: PeerTransport;
  readonly #onClosed: (channel: PeerChannel) => void;
  readonly #window: SharedWindow;
  /** Sum of the limits of the replicas. */
  #places = 1;
  /** Number of the last description of the endpoint. */
  #revision = -1;
  /** Reserved places whose calls are not sent yet. */
  #reserved = 0;
  #served = 0;
  #isRetired = false;
  #isFinishing = false;
  /** Ids of the replicas by the numbers that answers give. */
  readonly #replicas = new Map<unknown, string>();
  #link: CallLink | undefined = undefined;
  /** Set once the channel is retired: resolved when its calls have ended. */
  #idle: PromiseWithResolvers<void> | undefined = undefined;
  #onWindow: (window: number) => void = () => {};
  #onDescribed: () => void = () => {};
  #hasWaiting: () => boolean = () => false;

  /**
   * @param onClosed the channel is closed
   * @param window the window at the endpoint, which other channels to it share
   */
  constructor(
    peer: PeerState,
    { endpoint, methods }: PeerTarget,
    onClosed: (channel: PeerChannel) => void,
    window: SharedWindow,
    ledger: HandoverLedger = new HandoverLedger(),
    transport: PeerTransport = new PeerTransport(endpoint, ledger, () => peer.dial()),
  ) {
    super(transport, ledger, new Map(methods.map((name, index) => [name, index])), AT_ONCE);
    this.endpoint = endpoint;
    this.#peer = peer;
    this.#transport = transport;
    this.#onClosed = onClosed;
    this.#window = window;
    window.join(this);
    transport.listen(this);
  }

  /** Number of calls of all callers, by the window. */
  get ongoing(): number {
    if (this.#window.isOutdated) return 0;
    return Math.max(this.#window.underWay, this.#places - this.free);
  }

  get limit(): number {
    return Math.max(1, this.#places);
  }

  get free(): number {
    return this.#window.free;
  }

  get wouldWait(): boolean {
    return this.#window.underWay >= this.placesAtOnce;
  }

  /** Number of calls that may be under way without one that waits at the peer, as far as is known. */
  get placesAtOnce(): number {
    return this.#window.places;
  }

  get served(): number {
    return this.#served;
  }

  isHeld(): boolean {
    return false;
  }

  room(): Reservation {
    if (this.isClosed || this.#isRetired || this.#peer.isDown) return RESERVED.gone;
    return this.#window.hasRoomFor(this) && this.#link?.isSaturated !== true ? RESERVED.ok : RESERVED.full;
  }

  reserve(): Reservation {
    if (this.isClosed || this.#isRetired || this.#peer.isDown) return RESERVED.gone;
    if (this.#link?.isSaturated === true || !this.#window.take(this)) return RESERVED.full;
    this.#reserved++;
    return RESERVED.ok;
  }

  /** A call that has to run here may be sent beyond the window: the peer lets it wait there, or refuses it. */
  reserveToWait(): Reservation {
    const reserved = this.reserve();
    if (reserved !== RESERVED.full || !this.mayExceed) return reserved;
    this.#reserved++;
    return RESERVED.ok;
  }

  /** Whether a call may be sent beyond the window. After refusals none may, until as many calls have had their turns. */
  get mayExceed(): boolean {
    const { awaitsTurn, underWay } = this.#window;
    return !awaitsTurn && underWay < this.#places && this.#link?.isSaturated === false;
  }

  reserveBeyondLimit(): Reservation {
    if (this.isClosed || this.#isRetired || this.#peer.isDown) return RESERVED.gone;
    this.#reserved++;
    return RESERVED.ok;
  }

  override unreserve(): void {
    if (this.#reserved > 0) this.#reserved--;
    this.#checkIdle();
  }

  override send(call: OutboundCall): void {
    const reserved = this.#reserved;
    this.#peer.counts.calls++;
    super.send(call);
    // A call that could not be sent has given its place back.
    if (this.#reserved === reserved) this.unreserve();
  }

  /** The peer described the deployment. Descriptions over several links arrive in any order. */
  update({ revision, places, replicas, models }: PeerEndpoint): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#places = places;
    this.#replicas.clear();
    for (const { number, id } of replicas) this.#replicas.set(number, id);
    const hashes = replicas.map(({ id }) => hash(id));
    this.replicaHashes = { count: hashes.length, at: (index) => hashes[index] as number };
    this.models.update(models, now());
    this.#onDescribed();
    // Calls that wait for a model may go elsewhere.
    if (models !== undefined) this.freed();
  }

  /** Number of calls that may be under way. */
  get window(): number {
    return this.#window.size;
  }

  /** Calls the listener with each new window. */
  onWindow(listener: (window: number) => void): void {
    this.#onWindow = listener;
  }

  /** Calls the listener with each description of the endpoint. */
  onDescribed(listener: () => void): void {
    this.#onDescribed = listener;
  }

  /** @param hasWaiting whether calls wait in other threads, which take a turn only later */
  mindWaiting(hasWaiting: () => boolean): void {
    this.#hasWaiting = hasWaiting;
  }

  get underWay(): number {
    return this.outstanding + this.#reserved;
  }

  get hasWaiting(): boolean {
    return this.#hasWaiting();
  }

  resized(): void {
    this.#onWindow(this.#isRetired ? 0 : this.#window.size);
  }

  decline(): void {
    this.#link?.post([PEER_FRAME.window, this.endpoint, 0]);
  }

  linked(link: CallLink): void {
    this.#link = link;
    this.#transport.linked(link);
  }

  /**
   * The link is gone: calls that it has sent may have started, the others go elsewhere. A peer that closed the link in order has
   * answered all calls that it had read, so those that it had not read go elsewhere as well.
   *
   * @param cause undefined for an orderly end
   */
  unlinked(cause: Error | undefined): void {
    this.#link = undefined;
    const waiting = this.#takeUnsent();
    this.#window.reset(1);
    if (cause === undefined) waiting.push(...this.#takeUnread());
    this.orphanAll(linkLost(this.#peer.instance, cause));
    for (const { call, slot } of waiting) this.#return(call, slot);
    this.#checkIdle();
  }

  /** Calls under way go on, whoever closes the channel meanwhile. @returns a promise that resolves when they have ended */
  finish(): Promise<void> {
    this.#isFinishing = true;
    return this.retire();
  }

  /** Ends a channel that was to finish. */
  finished(error: unknown): void {
    this.#isFinishing = false;
    this.close(error);
  }

  /** Ends the channel: calls that no link has sent go elsewhere. */
  override close(error: unknown): void {
    if (this.#isFinishing) return;
    const waiting = this.#takeUnsent();
    super.close(error);
    for (const { call, slot } of waiting) this.#return(call, slot);
  }

  /** Sends no more calls; those that are under way go on. */
  stop(): void {
    this.#isRetired = true;
    this.#window.reset(0);
  }

  /** The endpoint accepts no more calls. @returns a promise that resolves when its calls have ended */
  retire(): Promise<void> {
    this.stop();
    this.#idle ??= Promise.withResolvers<void>();
    this.#checkIdle();
    return this.#idle.promise;
  }

  /** Sends waiting calls: the window has changed, the peer is reachable again, or its link has room again. */
  sendWaiting(): void {
    this.freed();
  }

  answered(calls: number): void {
    this.#served += calls;
    this.#window.ended();
    this.#checkIdle();
  }

  refused(slot: number, error: unknown): void {
    beginBatch();
    this.end(slot)?.failed(error);
    this.#checkIdle();
  }

  returned(slot: number, window: number | undefined): void {
    if (window === undefined) {
      // A call that is given back for good must not come again at once.
      this.#window.reset(0);
    } else {
      this.#peer.counts.refused++;
      this.#window.refused(window);
    }
    const call = this.end(slot);
    if (call !== undefined) this.#return(call, slot);
    this.#checkIdle();
  }

  protected override replicaOf(said: unknown): string | undefined {
    return this.#replicas.get(said);
  }

  protected override onLost(): void {}

  protected override onClosing(): void {
    this.#window.leave(this);
    this.#onClosed(this);
    this.#idle?.resolve();
  }

  /** Takes the calls back that no link has sent; nothing is sent from now on until another link is open. */
  #takeUnsent(): { readonly call: OutboundCall; readonly slot: number }[] {
    this.#transport.unlinked();
    const unsent = [...this.waiting()].map((call) => ({ call, slot: call.slot }));
    for (const { call } of unsent) this.takeBack(call);
    return unsent;
  }

  /** Takes back the calls that a peer has not read, but for those whose bodies have left already. */
  #takeUnread(): { readonly call: OutboundCall; readonly slot: number }[] {
    const unread = [...this.running()].filter(({ meta }) => meta?.upload === undefined);
    return unread.map((call) => {
      const { slot } = call;
      this.end(slot);
      return { call, slot };
    });
  }

  #return(call: OutboundCall, slot: number): void {
    call.uploaded = this.#transport.takeUploads(slot);
    call.returned();
  }

  #checkIdle(): void {
    if (this.#idle !== undefined && this.underWay === 0) this.#idle.resolve();
  }
}
