import type { CancelCode } from '../../channel/frames.ts';
import type { EncodedValue } from '../../channel/inbound-call.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { hash } from '../../load/hash.ts';
import type { Reservation } from '../../load/load-table.ts';
import type { ReplicaModels } from '../../load/model-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { Holding } from './holding.ts';
import { PeakLatency } from './peak-latency.ts';

/** The way to one replica: a channel to a thread, or the replica itself when it is inline. */
export interface CallChannel {
  /** Whether the replica runs its calls on this thread. */
  readonly isInline: boolean;
  /** Remote methods of the replica. */
  readonly methods: ReadonlyMap<string, number>;
  /** Calls that hold a place at the replica, over all callers. */
  readonly ongoing: number;
  /** Places that are free now. */
  readonly free: number;
  /** Its multiplexed models. */
  readonly models: ReplicaModels;
  /** Calls that the replica ended, for whichever caller (wraps with 32 bits). */
  readonly served: number;
  /** Calls of this thread that were sent and are not over. */
  readonly outstanding: number;
  /** Whether the replica's loop has been held for longer than a moment at this time. */
  isHeld(at: number): boolean;
  /** Whether its loop does not turn, and nothing has moved on it for long. */
  readonly isStuck: boolean;
  readonly holding: Holding;
  /** What `reserve` would answer now. */
  room(at: number): Reservation;
  /** @param at the time, as exactly as the caller knows it */
  reserve(at: number): Reservation;
  /** Takes a place for a call that may wait at the replica for its loop. */
  reserveToWait(): Reservation;
  reserveBeyondLimit(): Reservation;
  /** Gives a place back whose call is not sent. */
  unreserve(): void;
  /** Sends a call for which a place was reserved. */
  send(call: OutboundCall): void;
  /** Takes a call back that the replica has not begun, and frees its place; false if it has. */
  takeBack(call: OutboundCall): boolean;
  /** Calls of this thread that the replica has not begun. */
  waiting(): Iterable<OutboundCall>;
  cancel(call: OutboundCall, code: CancelCode): void;
  credit(call: OutboundCall, chunks: number): void;
  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void;
  endUpload(call: OutboundCall): void;
  /** Says when places may have become free. */
  onFreed(listener: () => void): void;
  close(error: unknown): void;
}

/** Even a replica that answers at once costs something, so that calls that run count. */
const LEAST_COST_MS = 0.01;

/** A replica as the router sees it. */
export class Endpoint {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly channel: CallChannel;
  /** How the calls of all callers to the replica went. */
  readonly tally: ReplicaTally;
  /** What sessions rank the replica by. */
  readonly affinityHash: number;
  readonly #latency = new PeakLatency();
  #factor = 1;
  #leastMs = 0;
  /** Of one call that is alone at the replica. */
  #costMs = LEAST_COST_MS;
  #served: number;

  constructor(
    replicaId: string,
    instanceId: string,
    version: string,
    channel: CallChannel,
    tally: ReplicaTally = new ReplicaTally(),
  ) {
    this.replicaId = replicaId;
    this.instanceId = instanceId;
    this.version = version;
    this.channel = channel;
    this.tally = tally;
    this.affinityHash = hash(replicaId);
    this.#served = channel.served;
  }

  /** Calls that the replica ended since the last time. */
  takeServed(): number {
    const { served } = this.channel;
    const ended = (served - this.#served) | 0;
    this.#served = served;
    return ended;
  }

  /** What one more call would cost here: latency times calls, and more where calls fail. */
  get score(): number {
    return (this.channel.ongoing + 1) * this.#costMs;
  }

  get latencyMs(): number {
    return this.#latency.ms;
  }

  /** Whether a call to it ever succeeded. */
  get isKnown(): boolean {
    return this.#latency.isKnown;
  }

  /** A call took so long. */
  observe(latencyMs: number, at: number): void {
    this.#latency.observe(latencyMs, at);
    this.#price();
  }

  /** A call took so long at least. */
  observeAtLeast(latencyMs: number, at: number): void {
    this.#latency.observeAtLeast(latencyMs, at);
    this.#price();
  }

  /**
   * Brings the cost up to the present.
   * @param medianMs of the latencies of all replicas
   * @param factor by which failures make the replica dearer; one that fails is no quicker than the others
   */
  refresh(at: number, medianMs: number, factor: number): void {
    this.#latency.fade(at, medianMs);
    this.#factor = factor;
    this.#leastMs = factor > 1 ? medianMs : 0;
    this.#price();
  }

  #price(): void {
    this.#costMs = Math.max(this.#latency.ms, this.#leastMs) * this.#factor + LEAST_COST_MS;
  }
}
