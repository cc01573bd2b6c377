import { describeHolding } from '../../load/holding.ts';
import { now } from '../../time/clock.ts';
import type { Call } from './call.ts';
import { CALL_STATE } from './call-progress.ts';

/** The state of a call, and how it has spent its time. */
export interface CallExplanation {
  requestId: string;
  deployment: string;
  method: string;
  /** `queued`, `running`, `streaming` or the outcome. */
  state: string;
  /** Time in the wait queue over all attempts, in ms, without the time to resolve arguments. */
  queuedMs: number;
  /**
   * Time that the call waited for a replica in another instance that answered it, in ms; undefined for a call that ran in this
   * instance, or has no answer yet.
   */
  peerQueuedMs: number | undefined;
  /** The replica that the call was sent to last. */
  replica: string | undefined;
  /** The instance of that replica. */
  instance: string | undefined;
  /** Number of calls in the batch in which the call ran; undefined outside `batch()`. */
  batchSize: number | undefined;
  /** How often the call was sent, except when it was taken back before it began. */
  attempts: number;
  /** Whether the call was sent to a second replica as well. */
  hedged: boolean;
  /**
   * Time that the replica ran the call, in ms; undefined while the call runs, and where calls are too quick to be
   * timed.
   */
  ranMs: number | undefined;
  /**
   * How long the calls of the replica hold its event loop, as a text; such calls run one at a time. Undefined for quick calls.
   */
  scheduling: string | undefined;
}

/** @internal @param ending how the call ended; of interest only once it is settled */
export function explainCall(call: Call, ending: string): CallExplanation {
  const { attempts, endpoint, ranMs, peerRun, queuedAt } = call;
  const fresh = attempts === 0 ? 'resolving arguments' : 'waiting to be sent again';
  const states = [fresh, 'queued', 'running', 'streaming'];
  return {
    requestId: call.requestId,
    deployment: call.route.deployment,
    method: call.method,
    state: call.state === CALL_STATE.settled ? ending : (states[call.state] ?? ''),
    queuedMs: call.queuedMs + (queuedAt === 0 ? 0 : now() - queuedAt),
    peerQueuedMs: peerRun?.waitedMs,
    replica: peerRun?.replica ?? endpoint?.replicaId,
    instance: endpoint?.instanceId,
    batchSize: call.batchSize,
    attempts,
    hedged: call.hedge?.isSent ?? false,
    ranMs,
    scheduling: endpoint && describeHolding(call.route.deployment, endpoint.channel.holding),
  };
}
