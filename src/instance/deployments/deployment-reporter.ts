import type { DeploymentStatus, ReportedError } from '../../controller/status.ts';
import { ServeError } from '../../errors.ts';
import { countDuration } from '../../handle/call/call-stats.ts';
import { LostCalls } from '../../handle/routing/lost-calls.ts';
import { describeLostCalls, whenKnown } from '../../isolation/death-report.ts';
import type { DeathCause } from '../../isolation/replica-exit.ts';
import { type CallCounts, START_BOUNDS_MS } from '../../observe/call-counts.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { inSeconds } from '../../time/in-seconds.ts';
import { messageOf } from '../../values/describe-value.ts';

/** Details of a crash other than the error. */
export interface CrashDetails {
  /** Reason in one line. Default: the error's message. */
  readonly reason?: string | undefined;
  /** Collects the calls that the replica ran, if it died. */
  readonly lost?: LostCalls | undefined;
}

/** Reports on a deployment under its name: its status, its errors, its events and its log records. */
export class DeploymentReporter {
  readonly #about: { readonly app: string; readonly deployment: string };
  readonly #events: Events;
  readonly #log: Logger;
  readonly #book: CallCounts;
  readonly #advice = new Set<string>();
  #state: DeploymentStatus = 'UPDATING';
  #note = '';
  /** Reason for the current status. */
  message = '';
  /** The last error; it outlives the status that came with it. */
  lastError: ReportedError | undefined = undefined;

  constructor(app: string, deployment: string, events: Events, log: Logger, book: CallCounts) {
    this.#about = { app, deployment };
    this.#events = events;
    this.#log = log;
    this.#book = book;
  }

  /** Error for a deployment that cannot reach its desired state. */
  failed(what: string, cause: unknown): ServeError {
    const message = `${this.#about.deployment}: ${what}`;
    this.#erred(message);
    return new ServeError('SERVE_DEPLOY_FAILED', message, { ...this.#about, cause });
  }

  /** @param retryAfterMs time after which to retry; undefined = unknown */
  unavailable(what: string, retryAfterMs?: number): ServeError {
    const about = retryAfterMs === undefined ? this.#about : { ...this.#about, retryAfterMs };
    return new ServeError('SERVE_UNAVAILABLE', `${this.#about.deployment}: ${what}`, about);
  }

  get state(): DeploymentStatus {
    return this.#state;
  }

  /** Sets the message for now and for every return to health: it outlives the change that it came with. */
  note(note: string): void {
    this.#note = note;
    this.message = note;
  }

  /** Sets the status, and reports it if it changed. */
  turn(status: DeploymentStatus): void {
    if (status === this.#state) return;
    this.#state = status;
    if (status === 'HEALTHY') this.message = this.#note;
    this.status(status, this.message);
  }

  status(status: DeploymentStatus, message: string): void {
    this.#events.emit('deployment', { ...this.#about, status, message });
  }

  /** Reports a replica that takes calls from now on. @param startMs duration of its start */
  started(replica: string, startMs: number): void {
    const { app, deployment } = this.#about;
    countDuration(this.#book.of(app, deployment).starts, startMs, START_BOUNDS_MS);
    const about = { ...this.#about, replica, startMs: Math.round(startMs) };
    this.#log.info(about, `${deployment}: replica ${replica} is ready after ${inSeconds(startMs)}`);
    this.replica(replica, 'RUNNING');
  }

  /** Reports how far the start of a replica is. */
  progress(replica: string, message: string): void {
    this.#log.info(
      { ...this.#about, replica },
      `${this.#about.deployment}: replica ${replica} starts: ${message}`,
    );
    this.replica(replica, 'STARTING', message);
  }

  /** Reports a replica whose event loop does not turn. */
  stuck(replica: string, silentMs: number): void {
    const reason = `its event loop has been blocked for ${silentMs} ms`;
    this.#log.warn(
      { ...this.#about, replica },
      `${this.#about.deployment}: replica ${replica} is stuck: ${reason}`,
    );
    this.replica(replica, 'STUCK', reason);
  }

  /** Reports a replica that takes calls again. */
  back(replica: string, reason: string): void {
    this.#log.info(
      { ...this.#about, replica },
      `${this.#about.deployment}: replica ${replica} is back: ${reason}`,
    );
    this.replica(replica, 'RUNNING', reason);
  }

  /** Reports a new state of a replica. */
  replica(replica: string, state: string, reason?: string): void {
    this.#events.emit('replica', {
      ...this.#about,
      replica,
      state,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Reports a replica that stopped unexpectedly. @param lost collects the calls that it ran */
  died(replica: string, error: unknown, lost: LostCalls): void {
    whenKnown(lost, (calls) => {
      const ran = calls.length === 0 ? {} : { reason: describeLostCalls(calls), calls };
      this.#events.emit('replica', { ...this.#about, replica, state: 'STOPPED', ...ran, error });
    });
  }

  /** Counts a replica that died or must be replaced, and makes it the message. @param how the end of the replica, in words */
  crashed(replica: string, how: string, error: unknown, cause: DeathCause, more: CrashDetails = {}): void {
    const { app, deployment } = this.#about;
    // Errors of the library name the replica themselves.
    const own = messageOf(error).replace(`replica ${replica}: `, '');
    const { reason = own, lost = new LostCalls() } = more;
    const counted = this.#book.of(app, deployment);
    counted.restarts++;
    counted.deaths[cause] = (counted.deaths[cause] ?? 0) + 1;
    const message = `replica ${replica} ${how}: ${reason}`;
    this.message = message;
    this.#erred(message);
    whenKnown(lost, (calls) => {
      const ran = calls.length === 0 ? '' : `; ${describeLostCalls(calls)}`;
      if (this.message === message) this.message += ran;
      const about = { ...this.#about, replica, err: error, ...(calls.length === 0 ? {} : { calls }) };
      this.#log.error(about, `${deployment}: replica ${how}: ${reason}${ran}`);
    });
  }

  /** Reports a setting that should change. Every replica may find the same; one report is enough. */
  advise(advice: Iterable<string>): void {
    for (const message of advice) {
      if (this.#advice.has(message)) continue;
      this.#advice.add(message);
      this.#log.warn(this.#about, `${this.#about.deployment}.${message}`);
    }
  }

  #erred(message: string): void {
    this.lastError = { at: Date.now(), message };
  }

  /** Reports a fault that no caller receives. */
  fault(reason: string, error: ServeError): void {
    this.#log.error({ ...this.#about, err: error }, error.message);
    this.#events.emit('fault', { ...this.#about, reason, error });
  }
}
