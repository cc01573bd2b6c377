import type { Holding } from '../load/holding.ts';
import type { Reservation } from '../load/load-table.ts';
import type { ReplicaModels } from '../load/model-table.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import type { EncodedValue } from '../values/transfer.ts';
import type { CancelCode } from './frames.ts';
import type { OutboundCall } from './outbound-call.ts';

/** The way to one replica: a channel to a thread, or the replica itself when it is inline. */
export interface CallChannel {
  /** Whether the replica runs its calls on this thread. */
  readonly isInline: boolean;
  /** Whether the replica runs in this instance or in another one. */
  readonly tier: 'local' | 'peer';
  /** Calls that may hold a place at a time. */
  readonly limit: number;
  /** How the calls of all callers to the replica went. */
  readonly tally: ReplicaTally;
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
  /** Calls of this thread that the replica has begun and not answered. */
  running(): Iterable<OutboundCall>;
  cancel(call: OutboundCall, code: CancelCode): void;
  credit(call: OutboundCall, chunks: number): void;
  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void;
  endUpload(call: OutboundCall): void;
  /** Says when places may have become free. */
  onFreed(listener: () => void): void;
  close(error: unknown): void;
  /** Resolves once the channel is closed and its calls are over. */
  readonly ended: Promise<void>;
}
