import type { RestartPolicy } from '../../../controller/back-off.ts';
import type { SpecOptions } from '../../../deployment/app-spec.ts';
import type { ServeError } from '../../../errors.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { type DeathCause, deathCause } from '../../../isolation/replica-exit.ts';
import { startFailureReason } from '../../../isolation/start-failure.ts';
import { activeTime } from '../../../time/active-time.ts';
import type { Clock } from '../../../time/control-clock.ts';
import type { CrashDetails, DeploymentReporter } from '../deployment-reporter.ts';
import type { Rollout } from './rollout.ts';
import { StartHistory } from './start-history.ts';

/** Number of replicas that cannot be ended after which no more start: each keeps its memory and a core busy. */
const MAX_ZOMBIES = 2;

/** A replica that never came up. */
interface LostStart {
  readonly fingerprint: string;
  readonly phase: string;
  readonly error: unknown;
  /** Duration of the start, in ms. */
  readonly tookMs: number;
}

/** Records the ends of the replicas of one deployment. The deployment decides at its next tick. */
export class ReplicaHistory {
  readonly starts = new StartHistory();
  /** The current change to another version. */
  rollout: Rollout | undefined = undefined;
  readonly #reporter: DeploymentReporter;
  readonly #clock: Clock;
  #crashes = 0;
  /** Number of ended replicas that remain, blocked in native code. They never go away. */
  #zombies = 0;
  #lostStarts: LostStart[] = [];
  /** Total number of replicas that failed to start. */
  failedStarts = 0;
  #version: string;

  /** @param version fingerprint of the current version */
  constructor(version: string, reporter: DeploymentReporter, clock: Clock) {
    this.#version = version;
    this.#reporter = reporter;
    this.#clock = clock;
  }

  /** Another version becomes the current one, or the same is tried again. @param hasRun whether a replica of it runs */
  follow(version: string, hasRun: boolean): void {
    this.#version = version;
    this.starts.reset(hasRun);
  }

  /** Number of replicas that died, failed to start, or were replaced because of a fault. */
  get restarts(): number {
    return this.#crashes;
  }

  /** Whether so many replicas cannot be ended that no more start in this process. */
  get isDegraded(): boolean {
    return this.#zombies >= MAX_ZOMBIES;
  }

  /** The reason why no replica is started any more. */
  get degradation(): string {
    return `${this.#zombies} threads are blocked in native code and cannot be ended: restart the process`;
  }

  /** When the next replica may start, like `Date.now()`; undefined if it may start now, or never. */
  nextTryAt(restart: RestartPolicy): number | undefined {
    const waitMs = this.starts.nextIn(restart, this.#clock.now());
    return this.isDegraded || waitMs === 0 ? undefined : Date.now() + waitMs;
  }

  /** Whether more replicas died or failed to start than the policy allows. */
  isCrashing(restart: RestartPolicy, at: number): boolean {
    return this.isDegraded || this.starts.isOverBudget(restart, at);
  }

  ready({ fingerprint }: ManagedReplica): void {
    if (fingerprint === this.#version) this.starts.hasRun = true;
  }

  ended(replica: ManagedReplica): void {
    if (replica.isZombie) this.#zombies++;
    this.rollout?.ended(replica);
  }

  /** Records that a replica died after its start, or must be replaced. @param how the end of the replica, in words */
  crashed(replica: ManagedReplica, how: string, error: unknown, more?: CrashDetails): void {
    this.rollout?.died(replica);
    this.#count(replica, how, error, replica.deathCause ?? deathCause(error, true), more);
  }

  startFailed(replica: ManagedReplica, phase: string, error: unknown): void {
    this.failedStarts++;
    const reason = startFailureReason(phase, error);
    this.#count(replica, `failed in ${phase}`, error, deathCause(error, false), { reason });
    const tookMs = activeTime.now() - replica.startedAt;
    this.#lostStarts.push({ fingerprint: replica.fingerprint, phase, error, tookMs });
  }

  /**
   * Judges the failed starts of the current version since the last look.
   * @param isUpdate whether an old version serves
   * @returns the failures after which no further start may succeed
   */
  takeHopelessStarts(
    { maxConstructorRetryCount, startTimeoutMs }: SpecOptions,
    isUpdate: boolean,
    target: number,
  ): ServeError[] {
    const lost = this.#lostStarts.filter(({ fingerprint }) => fingerprint === this.#version);
    this.#lostStarts = [];
    if (this.starts.hasRun) return [];
    return lost
      .filter(({ error, phase, tookMs }) => {
        const isOverdue = tookMs >= startTimeoutMs;
        return this.starts.failed({ error, phase, isOverdue, isUpdate, target, maxConstructorRetryCount });
      })
      .map(({ error, phase }) => {
        const why = `${phase} failed: ${startFailureReason(phase, error)}`;
        return this.#reporter.failed(why, error);
      });
  }

  #count(
    { replicaId }: ManagedReplica,
    how: string,
    error: unknown,
    cause: DeathCause,
    more?: CrashDetails,
  ): void {
    this.#crashes++;
    this.starts.crashed(this.#clock.now());
    this.#reporter.crashed(replicaId, how, error, cause, more);
    if (!this.isDegraded) return;
    this.#reporter.message = this.degradation;
    this.#reporter.fault('degraded', this.#reporter.unavailable(this.#reporter.message));
  }
}
