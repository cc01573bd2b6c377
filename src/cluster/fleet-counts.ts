import { FAULT, type Fault, FaultCounts } from '../wire/wire-error.ts';
import type { Unreadable } from './document-codec.ts';
import type { StoreFailure } from './fleet-store.ts';

/** Names of the counters of what fails: the kind, and the reason. */
export type FleetCount = `faults_${Fault}` | `redis_${StoreFailure | Unreadable}`;

/** Totals since the start; a counter that never counted is absent. */
export type FleetCounts = Partial<Record<FleetCount, number>>;

/** The fleet thread's counts of refused peers and of failures in Redis. */
export class FleetTally {
  /** Links that were refused, or closed because the peer broke the protocol. */
  readonly faults: FaultCounts = new FaultCounts();
  readonly #redis: Partial<Record<FleetCount, number>> = {};
  /** Sum of the totals when they were taken last. */
  #taken = 0;

  /** An operation on Redis failed, or a document there cannot be used. */
  redisFailed(reason: StoreFailure | Unreadable): void {
    const name = `redis_${reason}` as const;
    this.#redis[name] = (this.#redis[name] ?? 0) + 1;
  }

  /** Takes the totals if any has risen since the last time. */
  take(): FleetCounts | undefined {
    const counts = { ...this.#redis, ...countsOf(this.faults) };
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    if (sum === this.#taken) return undefined;
    this.#taken = sum;
    return counts;
  }
}

export function countsOf(faults: FaultCounts): FleetCounts {
  const counts: Partial<Record<FleetCount, number>> = {};
  for (const fault of Object.values(FAULT)) {
    const count = faults.of(fault);
    if (count > 0) counts[`faults_${fault}`] = count;
  }
  return counts;
}

export function sumOfCounts(...all: readonly FleetCounts[]): FleetCounts {
  const sum: Partial<Record<FleetCount, number>> = {};
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts) as [FleetCount, number][])
      sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}
