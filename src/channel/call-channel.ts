import type { Holding } from '../load/holding.ts';
import type { Reservation } from '../load/load-table.ts';
import type { ReplicaModels } from '../load/model-table.ts';
import type { ReplicaHashes } from '../load/replica-hashes.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import type { EncodedValue } from '../values/transfer.ts';
import type { CancelCode } from './frames.ts';
import type { OutboundCall } from './outbound-call.ts';

/** The connection to one replica: a channel to a thread, or the replica itself when it is inline. */
export interface CallChannel {
  /** Whether the replica runs its calls on this thread. */
  readonly isInline: boolean;
  /** Whether the replica runs in this instance or in another one. */
  readonly tier: 'local' | 'peer';
  /** Maximum number of calls that may hold a place at a time. */
  readonly limit: number;
  /** Outcomes of the calls of all callers to the replica. */
  readonly tally: ReplicaTally;
  /** Whether the channel leads to a thread that passes a broadcast on to every replica. */
  readonly fansOut?: boolean;
  /** Remote methods of the replica. */
  readonly methods: ReadonlyMap<string, number>;
  /** Number of calls of all callers that hold a place at the replica. */
  readonly ongoing: number;
  /** Number of free places. */
  readonly free: number;
  /**
   * Whether all places of the replicas are known to be taken, so that a call for which there is room would wait there. It is
   * unknown for an instance to which no link is open. Never true for a replica of this instance: it has no such room.
   */
  readonly wouldWait: boolean;
  /** The replica's multiplexed models. */
  readonly models: ReplicaModels;
  /** Hashes of the replicas behind a channel to another instance; undefined for a single replica. */
  readonly replicaHashes?: ReplicaHashes | undefined;
  /** Number of calls of all callers that the replica ended (wraps with 32 bits). */
  readonly served: number;
  /** Number of calls of this thread that were sent and have not ended. */
  readonly outstanding: number;
  /** Whether the replica's loop has been held for longer than a moment at this time. */
  isHeld(at: number): boolean;
  /** Whether the replica's loop does not turn and no call has progressed for long. */
  readonly isStuck: boolean;
  readonly holding: Holding;
  /** Returns the answer that `reserve` would give now. */
  room(at: number): Reservation;
  /** Takes a place for a call. @param at the time, as exactly as the caller knows it */
  reserve(at: number): Reservation;
  /** Takes a place for a call that may wait at the replica for its loop. */
  reserveToWait(): Reservation;
  reserveBeyondLimit(): Reservation;
  /** Gives back a reserved place whose call is not sent. */
  unreserve(): void;
  /** Sends a call for which a place was reserved. */
  send(call: OutboundCall): void;
  /** Takes back a call that the replica has not begun, and frees its place; false if the call has begun. */
  takeBack(call: OutboundCall): boolean;
  /** Calls of this thread that the replica has not begun. */
  waiting(): Iterable<OutboundCall>;
  /** Calls of this thread that the replica has begun and not answered. */
  running(): Iterable<OutboundCall>;
  cancel(call: OutboundCall, code: CancelCode): void;
  credit(call: OutboundCall, chunks: number): void;
  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void;
  endUpload(call: OutboundCall): void;
  /** Calls the listener when places may have become free. */
  onFreed(listener: () => void): void;
  close(error: unknown): void;
  /** Resolves once the channel is closed and its calls are over. */
  readonly ended: Promise<void>;
}
