import type { CallExplanation } from '../call/explanation.ts';
import { explainCall } from '../call/explanation.ts';
import type { FlightCall, SharedRun } from '../policies/single-flight.ts';
import { PromiseCall } from './response.ts';

/** A call with an idempotency key, whose caller holds a response. */
export class KeyedCall extends PromiseCall implements FlightCall {
  #run: SharedRun | undefined = undefined;

  waitFor(run: SharedRun): void {
    this.#run = run;
  }

  override explain(): CallExplanation {
    const own = super.explain();
    if (this.#run === undefined) return own;
    const { state, queuedMs, peerQueuedMs, replica, instance, batchSize, attempts, hedged, ranMs } =
      explainCall(this.#run, '');
    const shared = { queuedMs, peerQueuedMs, replica, instance, batchSize, attempts, hedged, ranMs };
    return { ...own, ...shared, state: this.isSettled ? own.state : state };
  }

  protected override onError(error: unknown): void {
    super.onError(error);
    this.#run?.left(this);
  }
}
