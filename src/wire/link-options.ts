import type { EventLoop } from '../time/loop.ts';
import type { Frame } from './large-receiver.ts';
import type { FaultCounts } from './wire-error.ts';

export interface LinkEvents {
  /** Receives the frames of one message, and the large frames that it completed. */
  frames(frames: readonly Frame[]): void;
  /** The parts of all large frames were written, or frames behind much unsent data. */
  drained?(): void;
  /**
   * Called once, as the last event. Posted frames that were not delivered are lost.
   * @param error undefined for an orderly end
   */
  closed(error: Error | undefined): void;
}

export interface LinkOptions {
  /** Maximum size of a frame that this side receives, in bytes. Default 64 MiB */
  readonly maxPayload?: number;
  /** Maximum size of a frame that the peer receives, by its handshake, in bytes. Default 64 MiB */
  readonly peerMaxPayload?: number;
  /** Number of kinds of views that the peer knows, by its handshake. Default: the kinds of this process */
  readonly peerViews?: number;
  readonly counts?: FaultCounts | undefined;
  /** Counts the bytes of messages. Several links may share it. */
  readonly traffic?: LinkTraffic | undefined;
  readonly loop?: EventLoop;
}

/** Bytes of messages, before TLS. */
export interface LinkTraffic {
  sentBytes: number;
  receivedBytes: number;
}
