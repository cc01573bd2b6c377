import type { OutboundCall } from '../../channel/outbound-call.ts';

/** The second copy of a slow call; the answer that comes first is the call's. */
export interface HedgeCopy extends OutboundCall {
  readonly isSent: boolean;
  /** Sent, and not over. */
  readonly isRunning: boolean;
  /** The first copy lost its replica while this one runs. @param started it may have run */
  lostFirst(started: boolean, cause: unknown): void;
  /** The call is over, or has another way: this copy is of no use any more. */
  stop(): void;
}

/** A copy of a call that runs elsewhere for comparison: hears what became of the original. */
export interface ShadowCopy {
  originalSucceeded(value: unknown): void;
  originalFailed(error: unknown): void;
  originalStreamed(): void;
}
