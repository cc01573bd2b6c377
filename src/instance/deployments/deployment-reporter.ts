import type { DeploymentStatus } from '../../controller/status.ts';
import { ServeError } from '../../errors.ts';
import { LostCalls } from '../../handle/routing/lost-calls.ts';
import { describeLostCalls, whenKnown } from '../../isolation/death-report.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { Environment } from '../environment.ts';

/** What is known of a crash besides the error. */
export interface CrashDetails {
  /** In one line. Default: the error's message. */
  readonly reason?: string | undefined;
  /** Collects the calls that the replica ran, if it died. */
  readonly lost?: LostCalls | undefined;
}

/** Where a deployment's news go. */
type Desks = Pick<Environment, 'events' | 'log' | 'book'>;

/** What a deployment has to say: its status, its errors, its events and its lines in the log, all with its name on them. */
export class DeploymentReporter {
  readonly #about: { readonly app: string; readonly deployment: string };
  readonly #environment: Desks;
  readonly #advice = new Set<string>();
  #state: DeploymentStatus = 'UPDATING';
  #note = '';
  /** Reason for the current status. */
  message = '';

  constructor(app: string, deployment: string, environment: Desks) {
    this.#about = { app, deployment };
    this.#environment = environment;
  }

  /** It cannot become what it should be. */
  failed(what: string, cause: unknown): ServeError {
    const message = `${this.#about.deployment}: ${what}`;
    return new ServeError('SERVE_DEPLOY_FAILED', message, { ...this.#about, cause });
  }

  /** @param retryAfterMs when to come back; undefined = not known */
  unavailable(what: string, retryAfterMs?: number): ServeError {
    const about = retryAfterMs === undefined ? this.#about : { ...this.#about, retryAfterMs };
    return new ServeError('SERVE_UNAVAILABLE', `${this.#about.deployment}: ${what}`, about);
  }

  get state(): DeploymentStatus {
    return this.#state;
  }

  /** The message from now on, and again whenever it has become healthy: outlives the change that it came with. */
  note(note: string): void {
    this.#note = note;
    this.message = note;
  }

  /** Its status, told if it is another one. */
  turn(status: DeploymentStatus): void {
    if (status === this.#state) return;
    this.#state = status;
    if (status === 'HEALTHY') this.message = this.#note;
    this.status(status, this.message);
  }

  status(status: DeploymentStatus, message: string): void {
    this.#environment.events.emit('deployment', { ...this.#about, status, message });
  }

  /** The state of a replica changed. */
  replica(replica: string, state: string, reason?: string): void {
    this.#environment.events.emit('replica', {
      ...this.#about,
      replica,
      state,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** A replica stopped without being told to. @param lost collects the calls that it ran */
  died(replica: string, error: unknown, lost: LostCalls): void {
    whenKnown(lost, (calls) => {
      const ran = calls.length === 0 ? {} : { reason: describeLostCalls(calls), calls };
      this.#environment.events.emit('replica', { ...this.#about, replica, state: 'STOPPED', ...ran, error });
    });
  }

  /** A replica died, or must be replaced: counts it, and makes it the message. @param how what became of the replica */
  crashed(replica: string, how: string, error: unknown, more: CrashDetails = {}): void {
    const { app, deployment } = this.#about;
    // Errors of the library name the replica themselves.
    const own = messageOf(error).replace(`replica ${replica}: `, '');
    const { reason = own, lost = new LostCalls() } = more;
    this.#environment.book.of(app, deployment).restarts++;
    const message = `replica ${replica} ${how}: ${reason}`;
    this.message = message;
    whenKnown(lost, (calls) => {
      const ran = calls.length === 0 ? '' : `; ${describeLostCalls(calls)}`;
      if (this.message === message) this.message += ran;
      const about = { ...this.#about, replica, err: error, ...(calls.length === 0 ? {} : { calls }) };
      this.#environment.log.error(about, `${deployment}: replica ${how}: ${reason}${ran}`);
    });
  }

  /** Something should be set otherwise. Every replica may show so; said once is enough. */
  advise(advice: Iterable<string>): void {
    for (const message of advice) {
      if (this.#advice.has(message)) continue;
      this.#advice.add(message);
      this.#environment.log.warn(this.#about, `${this.#about.deployment}.${message}`);
    }
  }

  /** Something is wrong that no caller is told. */
  fault(reason: string, error: ServeError): void {
    this.#environment.log.error({ ...this.#about, err: error }, error.message);
    this.#environment.events.emit('fault', { ...this.#about, reason, error });
  }
}
