import type { CancelCode } from '../pool/frames.ts';
import type { Cargo } from '../pool/inbound-call.ts';
import type { Reservation } from '../pool/load-table.ts';
import type { ReplicaModels } from '../pool/model-table.ts';
import type { OutboundCall } from '../pool/outbound-call.ts';
import { ReplicaTally } from '../pool/replica-tally.ts';
import { hash } from './hash.ts';
import type { Holding } from './holding.ts';

/** The way to one replica: a channel to a thread, or the replica itself when it is inline. */
export interface CallChannel {
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
  upload(call: OutboundCall, chunk: unknown, cargo: Cargo): void;
  endUpload(call: OutboundCall): void;
  /** Says when places may have become free. */
  onFreed(listener: () => void): void;
  close(error: unknown): void;
}

const DECAY_MS = 10_000;

/**
 * A replica as the router sees it. Its cost is the peak-EWMA of its latency (Finagle's load metric): it jumps up with a
 * slow answer at once and decays over 10 s.
 */
export class Endpoint {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly channel: CallChannel;
  /** How the calls of all callers to the replica went. */
  readonly tally: ReplicaTally;
  /** What sessions rank the replica by. */
  readonly affinityHash: number;
  #latencyMs = 0;
  #observedAt = 0;
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

  /** What one more call would cost here. */
  get score(): number {
    return (this.channel.ongoing + 1) * (this.#latencyMs + 0.01);
  }

  observe(latencyMs: number, at: number): void {
    if (latencyMs >= this.#latencyMs) {
      this.#latencyMs = latencyMs;
    } else {
      const weight = Math.exp((this.#observedAt - at) / DECAY_MS);
      this.#latencyMs = this.#latencyMs * weight + latencyMs * (1 - weight);
    }
    this.#observedAt = at;
  }
}
