import type { CallChannel } from '../../channel/call-channel.ts';

/** A replica from the point of view of a call that was sent to it. */
export interface Destination {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly channel: CallChannel;
  /** Records the latency of a call. */
  observe(latencyMs: number, at: number): void;
  /** Records a lower bound of a call's latency. */
  observeAtLeast(latencyMs: number, at: number): void;
}
