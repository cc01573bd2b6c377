import type { ReplicaChannel } from '../channel/replica-channel.ts';
import type { OpenCalls } from './control.ts';

/** Sums up the open calls of a replica over its channels. */
export function openCallsOf(channels: Iterable<ReplicaChannel>): OpenCalls {
  let deadline = 0;
  let hasStreams = false;
  for (const channel of channels) {
    for (const call of channel.calls()) {
      if (call.isStreaming) hasStreams = true;
      else deadline = Math.max(deadline, call.deadline);
    }
  }
  return { deadline, hasStreams };
}
