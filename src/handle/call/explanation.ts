import { describeHolding } from '../../load/holding.ts';
import { now } from '../../time/clock.ts';
import type { Call } from './call.ts';
import { CALL_STATE } from './call-progress.ts';

/** An account of a call's course: the answer to "why did it take so long?". */
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
  /** Members of the batch that the call ran in; undefined outside `batch()`. */
  batchSize: number | undefined;
  attempts: number;
  hedged: boolean;
  /**
   * Time that the replica ran the call, in ms; undefined while the call runs, and where calls are too quick to be
   * timed.
   */
  ranMs: number | undefined;
  /**
   * The share of time for which the calls of the replica hold its event loop, and that they run one at a time; undefined if
   * they do not hold it.
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
