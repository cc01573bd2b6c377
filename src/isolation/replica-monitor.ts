import type { SpecOptions } from '../deployment/app-spec.ts';
import { REPLICA_STATE } from '../load/load-table.ts';
import { activeTime, type Witness } from '../time/active-time.ts';
import { now } from '../time/clock.ts';
import { HealthCheck } from './health-check.ts';
import { LoopSilence } from './loop-silence.ts';
import type { ManagedReplica, ReplicaOwner } from './managed-replica.ts';
import { MemoryQuota } from './memory-quota.ts';
import { tickPeriod } from './tick-period.ts';

/** Monitors one replica: its start time, the silence of its event loop, its health and its memory. */
export class ReplicaMonitor implements Witness {
  readonly #replica: ManagedReplica;
  #options: SpecOptions;
  readonly #owner: ReplicaOwner;
  #health: HealthCheck | undefined = undefined;
  readonly #silence = new LoopSilence();
  readonly #memory: MemoryQuota | undefined;

  constructor(replica: ManagedReplica, options: SpecOptions, owner: ReplicaOwner) {
    this.#replica = replica;
    this.#options = options;
    this.#owner = owner;
    const { memoryMb = 0 } = options.resources;
    this.#memory = memoryMb === 0 ? undefined : new MemoryQuota(replica, memoryMb);
    activeTime.addWitness(this);
  }

  get beats(): number {
    return this.#replica.load.beats;
  }

  get beatMs(): number {
    return tickPeriod(this.#options.stuckAfterMs);
  }

  /** The replica is gone. */
  close(): void {
    activeTime.removeWitness(this);
  }

  /** Applies other limits. */
  configure(options: SpecOptions): void {
    const { healthCheckPeriodMs, healthCheckTimeoutMs, stuckAfterMs } = this.#options;
    const isOtherCheck =
      options.healthCheckPeriodMs !== healthCheckPeriodMs ||
      options.healthCheckTimeoutMs !== healthCheckTimeoutMs;
    if (isOtherCheck) this.#health = undefined;
    if (options.stuckAfterMs !== stuckAfterMs) this.#replica.tickEvery(tickPeriod(options.stuckAfterMs));
    this.#options = options;
  }

  /**
   * Limits of starts and blocked loops count the time for which the process was able to run.
   * @param at time of the control plane's clock, for health and memory
   */
  tick(at: number): void {
    const { state, startedAt } = this.#replica;
    if (state === 'RUNNING') {
      this.#memory?.tick(at, (why) => this.#owner.overMemory(this.#replica, why));
      this.#lookAtRunning(at);
    } else if (state === 'STARTING') {
      this.#memory?.tick(at, (why) => this.#owner.unresponsive(this.#replica, why));
      if (activeTime.now() - startedAt > this.#options.startTimeoutMs)
        this.#owner.unresponsive(this.#replica, `it did not start within ${this.#options.startTimeoutMs} ms`);
    }
  }

  #lookAtRunning(at: number): void {
    const replica = this.#replica;
    const { stuckAfterMs, healthCheckPeriodMs, healthCheckTimeoutMs } = this.#options;
    const silentMs = this.#silence.look(replica.lastSeen, now(), activeTime);
    const isSilent = silentMs > stuckAfterMs;
    if (isSilent !== replica.isStuck) this.#turn(isSilent, silentMs);
    if (isSilent) {
      this.#lookAtStuck(silentMs);
      return;
    }
    if (!replica.hasHealthCheck) return;
    this.#health ??= new HealthCheck(replica, healthCheckPeriodMs, healthCheckTimeoutMs, at);
    this.#health.tick(at, (error) => this.#owner.unhealthy(this.#replica, error));
  }

  #turn(isStuck: boolean, silentMs: number): void {
    this.#replica.isStuck = isStuck;
    this.#replica.load.setState(isStuck ? REPLICA_STATE.stuck : REPLICA_STATE.ready);
    if (isStuck) this.#owner.stuck(this.#replica, silentMs);
    else this.#owner.recovered(this.#replica);
  }

  /** Ends the replica after the deadline of the call that holds its loop; `stuckTerminateMs` is for code without a call. */
  #lookAtStuck(silentMs: number): void {
    const deadline = this.#replica.load.holdingDeadline;
    const isOverdue =
      deadline === 0
        ? silentMs > this.#options.stuckTerminateMs
        : ((now() - this.#silence.pausedMs - deadline) | 0) > 0;
    if (!isOverdue) return;
    this.#owner.unresponsive(this.#replica, `its event loop was blocked for ${silentMs} ms`);
  }
}
