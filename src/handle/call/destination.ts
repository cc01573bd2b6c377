import type { CallChannel } from '../../channel/call-channel.ts';

/** A replica, as a call that was sent there sees it. */
export interface Destination {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly channel: CallChannel;
  /** A call took so long. */
  observe(latencyMs: number, at: number): void;
  /** A call took so long at least. */
  observeAtLeast(latencyMs: number, at: number): void;
}
