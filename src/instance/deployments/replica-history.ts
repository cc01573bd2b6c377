import type { RestartPolicy } from '../../controller/back-off.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import { startFailureReason } from '../../isolation/start-failure.ts';
import { activeTime } from '../../time/active-time.ts';
import type { Clock } from '../../time/control-clock.ts';
import type { CrashDetails, DeploymentReporter } from './deployment-reporter.ts';
import type { Rollout } from './rollout.ts';
import { StartHistory } from './start-history.ts';

/** Replicas that cannot be ended, until no more are started: each keeps its memory and a core busy. */
const MAX_ZOMBIES = 2;

/** A replica that never came up. */
export interface LostStart {
  readonly fingerprint: string;
  readonly phase: string;
  readonly error: unknown;
  /** How long the replica took, in ms. */
  readonly tookMs: number;
}

/** What became of the replicas of one deployment. It only keeps record: the deployment decides at its next tick. */
export class ReplicaHistory {
  readonly starts = new StartHistory();
  /** The change to another version that is under way. */
  rollout: Rollout | undefined = undefined;
  readonly #reporter: DeploymentReporter;
  readonly #clock: Clock;
  #crashes = 0;
  /** Replicas that were ended and are still there, blocked in native code. They never go. */
  #zombies = 0;
  #lostStarts: LostStart[] = [];
  #version: string;

  /** @param version fingerprint of the current version */
  constructor(version: string, reporter: DeploymentReporter, clock: Clock) {
    this.#version = version;
    this.#reporter = reporter;
    this.#clock = clock;
  }

  /** Another version is the current one from now on, or the same is tried again. @param hasRun a replica of it runs */
  follow(version: string, hasRun: boolean): void {
    this.#version = version;
    this.starts.reset(hasRun);
  }

  /** Replicas that died, failed to start, or were replaced because something was wrong with them. */
  get restarts(): number {
    return this.#crashes;
  }

  /** Too many replicas cannot be ended: none is started any more in this process. */
  get isDegraded(): boolean {
    return this.#zombies >= MAX_ZOMBIES;
  }

  /** The reason why no replica is started any more. */
  get degradation(): string {
    return `${this.#zombies} threads are blocked in native code and cannot be ended: restart the process`;
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

  /** A replica that had come up died, or must be replaced. @param how what became of it */
  crashed(replica: ManagedReplica, how: string, error: unknown, more?: CrashDetails): void {
    this.rollout?.died(replica);
    this.#count(replica, how, error, more);
  }

  startFailed(replica: ManagedReplica, phase: string, error: unknown): void {
    const reason = startFailureReason(phase, error);
    this.#count(replica, `failed in ${phase}`, error, { reason });
    const tookMs = activeTime.now() - replica.startedAt;
    this.#lostStarts.push({ fingerprint: replica.fingerprint, phase, error, tookMs });
  }

  /** Failed starts since the last look. */
  takeLostStarts(): readonly LostStart[] {
    const lost = this.#lostStarts;
    this.#lostStarts = [];
    return lost;
  }

  #count({ replicaId }: ManagedReplica, how: string, error: unknown, more?: CrashDetails): void {
    this.#crashes++;
    this.starts.crashed(this.#clock.now());
    this.#reporter.crashed(replicaId, how, error, more);
    if (!this.isDegraded) return;
    this.#reporter.message = this.degradation;
    this.#reporter.fault('degraded', this.#reporter.unavailable(this.#reporter.message));
  }
}
