import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { describe } from '../../values/describe-value.ts';

/** Reports repeated failures once per change of the message: in the log and as an event `fault`. */
export class FaultReports {
  readonly #about: { readonly app: string; readonly deployment?: string };
  readonly #events: Events;
  readonly #log: Logger;
  /** The last message of each failing part. */
  readonly #known = new Map<string, string>();

  constructor(app: string, deployment: string | undefined, events: Events, log: Logger) {
    this.#about = deployment === undefined ? { app } : { app, deployment };
    this.#events = events;
    this.#log = log;
  }

  /** Runs user code; undefined if it throws. */
  attempt<T>(what: string, work: () => T): T | undefined {
    try {
      const result = work();
      this.#known.delete(what);
      return result;
    } catch (error) {
      this.report(what, error);
      return undefined;
    }
  }

  report(what: string, error: unknown): void {
    const message = describe(error);
    if (this.#known.get(what) === message) return;
    this.#known.set(what, message);
    this.#log.error({ ...this.#about, err: error }, `${what} failed`);
    this.#events.emit('fault', { ...this.#about, reason: what, error });
  }
}
