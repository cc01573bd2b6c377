import type { OutboundCall } from '../../channel/outbound-call.ts';
import type { Marks } from '../../values/marks.ts';

/** The second copy of a slow call; the call takes the answer that comes first. */
export interface HedgeCopy extends OutboundCall {
  readonly isSent: boolean;
  /** Whether the copy was sent and has not ended. */
  readonly isRunning: boolean;
  /** The first copy lost its replica while this one runs. @param started the first copy may have run */
  lostFirst(started: boolean, cause: unknown): void;
  /** Ends this copy, since the call has ended or was answered elsewhere. */
  close(): void;
}

/** A copy of a call that runs elsewhere for comparison and is told the outcome of the original. */
export interface ShadowCopy {
  /** @param marks where the original wants raw values */
  originalSucceeded(value: unknown, marks?: Marks): void;
  originalFailed(error: unknown): void;
  originalStreamed(): void;
}
