import { MemorySeries } from '../../controller/growth.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { MIB } from '../../validation/bytes.ts';
import type { GrowthWatchOptions } from './growth-watch-options.ts';
import { residentMemory } from './resident-memory.ts';

/**
 * Detects leaking replicas. A replica that grows steadily while memory gets short is replaced as in an update: a new one
 * comes up, then the old one finishes its calls and stops. If that is too late, `ProcessMemoryGuard` ends a replica at once.
 */
export class MemoryGrowthGuard {
  readonly #options: Required<GrowthWatchOptions>;
  readonly #limitBytes: number;
  readonly #replicas: () => Iterable<ManagedReplica>;
  readonly #events: Events;
  readonly #log: Logger;
  readonly #series = new Map<ManagedReplica, MemorySeries>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #isLooking = false;
  #isStopped = false;

  /** @param limitMb limit of the whole process */
  constructor(
    options: GrowthWatchOptions,
    limitMb: number,
    replicas: () => Iterable<ManagedReplica>,
    events: Events,
    log: Logger,
  ) {
    this.#options = { enabled: true, fromShare: 0.7, minGrowthMb: 128, sampleMs: 2_000, ...options };
    this.#limitBytes = limitMb * MIB;
    this.#replicas = replicas;
    this.#events = events;
    this.#log = log;
  }

  /** Idempotent. */
  start(): void {
    if (!this.#options.enabled) return;
    this.#timer ??= setInterval(() => void this.#look(), this.#options.sampleMs).unref();
  }

  close(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#series.clear();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const replicas = [...this.#replicas()].filter(({ state }) => state === 'RUNNING');
    await Promise.all(replicas.map((replica) => this.#sample(replica)));
    if (this.#isStopped) return;
    for (const replica of this.#series.keys()) if (!replicas.includes(replica)) this.#series.delete(replica);
    this.#judge(replicas);
    this.#isLooking = false;
  }

  async #sample(replica: ManagedReplica): Promise<void> {
    const bytes = await replica.memory();
    if (bytes === 0 || this.#isStopped) return;
    const series = this.#series.get(replica) ?? new MemorySeries();
    this.#series.set(replica, series);
    series.add(bytes);
  }

  /** The replica that has grown most; one at a time, since its successor needs memory as well. */
  #judge(replicas: readonly ManagedReplica[]): void {
    const used = residentMemory();
    if (used < this.#options.fromShare * this.#limitBytes || replicas.some(({ isUnfit }) => isUnfit)) return;
    const growthOf = (replica: ManagedReplica): number => this.#series.get(replica)?.growth ?? 0;
    const [worst] = [...replicas].sort((a, b) => growthOf(b) - growthOf(a));
    if (worst === undefined || growthOf(worst) < this.#options.minGrowthMb * MIB) return;
    this.#replace(worst, growthOf(worst), used);
  }

  #replace(replica: ManagedReplica, growth: number, used: number): void {
    // The controller starts another replica, then drains this one.
    replica.isUnfit = true;
    const { app, deployment, replicaId } = replica;
    const mib = (bytes: number): number => Math.round(bytes / MIB);
    const reason = `its memory grows without end (${mib(growth)} MiB since its start), and the process uses ${mib(used)} of ${mib(this.#limitBytes)} MiB`;
    this.#log.warn(
      { app, deployment, replica: replicaId },
      `${deployment}: replica ${replicaId} is replaced: ${reason}`,
    );
    this.#events.emit('replica', { app, deployment, replica: replicaId, state: 'RECYCLING', reason });
  }
}
