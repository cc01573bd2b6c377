import type { CallCounts } from '../observe/call-counts.ts';
import type { Events } from '../observe/events.ts';
import type { Logger } from '../observe/logger.ts';
import { inRootContext } from '../time/root-context.ts';

/** A response that failed without its caller handling the failure. */
export interface UnobservedFailure {
  readonly app: string;
  readonly deployment: string;
  readonly method: string;
  readonly requestId: string;
  readonly error: unknown;
}

/** Reports responses that failed, in any thread, without their callers handling the failure: counts, log records and events. */
export class UnobservedFailures {
  readonly #book: CallCounts;
  readonly #log: Logger;
  readonly #events: Events;

  constructor(book: CallCounts, log: Logger, events: Events) {
    this.#book = book;
    this.#log = log;
    this.#events = events;
  }

  report(failure: UnobservedFailure): void {
    const { error: err, ...about } = failure;
    // Unknown names may be made up by clients, so they are not labels; the log has them.
    if (this.#book.isRunning(about.app, about.deployment))
      this.#book.of(about.app, about.deployment).unobserved++;
    // No caller waits for the call, so the failure is logged outside of any request's context.
    inRootContext(() => this.#log.error({ ...about, err }, 'unhandled call failure'));
    this.#events.emit('fault', { ...failure, reason: 'unobserved failure' });
  }
}
