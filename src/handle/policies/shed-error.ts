import { methodLabel } from '../../channel/method-names.ts';
import { ServeError } from '../../errors.ts';
import type { Call } from '../call/call.ts';
import type { ShedReason } from '../queue/shed-reason.ts';

export interface QueueState {
  readonly queued: number;
  readonly maxQueued: number;
  /** Estimated time until the queue is empty, in ms. */
  readonly retryAfterMs: number;
}

/**
 * The error of a call that is rejected before it starts. Overload is `SERVE_BACKPRESSURE`, with a time after which to
 * retry; a deadline that cannot be met is `SERVE_TIMEOUT`, as it would have been a moment later, and a retry with the
 * same deadline would not help (docs/decisions/016-overload.md).
 */
export function shedError(
  reason: ShedReason,
  call: Call,
  { queued, maxQueued, retryAfterMs }: QueueState,
): ServeError {
  const { app, deployment, config } = call.route;
  const about = { app, deployment, requestId: call.requestId };
  if (reason === 'doomed') {
    const what = 'too little time is left before the deadline: the call was not started';
    const message = `${deployment}.${methodLabel(call.method)}: ${what}`;
    return new ServeError('SERVE_TIMEOUT', message, { ...about, retryable: true });
  }
  const { statusCode, retryAfterMs: given } = config.backpressure;
  const message = {
    queue_full: `the queue is full (queued: ${queued}, maxQueuedRequests: ${maxQueued})`,
    displaced: 'the queue is full, and the place went to a call with a better claim (priority, tenant)',
    host_overload: "the host's event loop lags: calls of this priority are refused until it recovers",
    tenant_quota: `tenant '${call.tenant}' has used up its quota`,
  }[reason];
  return new ServeError('SERVE_BACKPRESSURE', `${deployment}: ${message}`, {
    ...about,
    statusCode,
    retryAfterMs: given === 'auto' ? retryAfterMs : given,
  });
}
