import { type InstanceSpace, type Placed, place } from '../../controller/place.ts';
import {
  type Amounts,
  type Demand,
  fromUnits,
  toUnits,
  WHOLE,
} from '../../deployment/options/resource-units.ts';
import type { Resources } from '../../deployment/options/resources.ts';
import type { Logger } from '../../observe/logger.ts';
import { detectCpus, detectGpus, detectMemoryMb, visibleGpus } from './machine.ts';

/** One resource of an instance. */
export interface ResourceReport {
  readonly total: number;
  /** Amount reserved by the replicas here, stopping ones included. */
  readonly reserved: number;
}

/** Reservation of one replica. */
export interface Grant {
  readonly deployment: string;
  readonly demand: Demand;
  /** Indices of its gpus. */
  readonly gpus: readonly number[];
  /** Environment variables for the replica. */
  readonly env: Readonly<Record<string, string>>;
}

/** The resources of this instance and their reservations. */
export class ResourceLedger {
  readonly #given: Resources;
  readonly #instanceId: string;
  readonly #log: Logger;
  readonly #grants = new Set<Grant>();
  /** Target numbers of replicas that reserve no cpus, by deployment. */
  readonly #unreserved = new Map<string, number>();
  #total: Record<string, number> | undefined = undefined;
  /** undefined until the gpus are detected. */
  #gpuIds: readonly string[] | undefined;
  #isLookingForGpus = false;
  #hasWarned = false;

  /** @param given overrides the machine's resources */
  constructor(given: Resources, instanceId: string, log: Logger) {
    this.#given = given;
    this.#instanceId = instanceId;
    this.#log = log;
    this.#gpuIds = given.gpus === undefined ? undefined : gpuIds(given.gpus);
  }

  /** Reserves the resources of a replica; returns the reason if the replica does not fit. */
  reserve(deployment: string, demand: Demand, maxPerInstance: number): Grant | string {
    if (demand.gpus > 0 && this.#gpuIds === undefined) {
      this.#lookForGpus();
      return 'nvidia-smi is still listing the gpus';
    }
    const { placements, pending } = this.#place(deployment, demand, maxPerInstance);
    const [placement] = placements;
    if (placement === undefined) return pending?.reason ?? '';
    const { gpus } = placement;
    const ids = gpus.map((index) => this.#gpuIds?.[index] ?? String(index)).join(',');
    const env: Record<string, string> = gpus.length === 0 ? {} : { CUDA_VISIBLE_DEVICES: ids };
    const grant: Grant = { deployment, demand, gpus, env };
    this.#grants.add(grant);
    return grant;
  }

  /** Whether one more replica fits. */
  fits(deployment: string, demand: Demand, maxPerInstance: number): boolean {
    return this.#place(deployment, demand, maxPerInstance).pending === undefined;
  }

  /** Free resources for replicas of a deployment. */
  space(deployment: string): InstanceSpace {
    const replicas = this.#count(deployment);
    return { id: this.#instanceId, free: this.#free(), gpus: this.#freeGpus(), replicas };
  }

  /** Total amounts that replicas may use, for the controller of a fleet. */
  offered(): { readonly resources: Amounts; readonly gpus: number } {
    return { resources: this.#totals(), gpus: this.#gpuIds?.length ?? 0 };
  }

  release(grant: Grant): void {
    this.#grants.delete(grant);
  }

  /** Records the target number of replicas of a deployment. */
  expect(deployment: string, replicas: number, { amounts }: Demand): void {
    this.#unreserved.set(deployment, amounts['cpus'] === undefined ? replicas : 0);
    if (this.#hasWarned) return;
    let count = 0;
    for (const own of this.#unreserved.values()) count += own;
    const cpus = fromUnits(this.#totals()['cpus'] ?? 0);
    if (count <= cpus) return;
    this.#hasWarned = true;
    const what = `more replicas than cpus: ${count} replicas that reserve none share ${cpus}`;
    // The advised amount must fit: a whole cpu for each would leave replicas without a place.
    const share = Math.floor((100 * fromUnits(this.#free()['cpus'] ?? 0)) / count) / 100;
    const advice = share > 0 ? `; to reserve a part for each, set resources.cpus to at most ${share}` : '';
    this.#log.info({ replicas: count, cpus }, what + advice);
  }

  forget(deployment: string): void {
    this.#unreserved.delete(deployment);
  }

  /** Totals by resource; gpus only once they are detected. */
  report(): Record<string, ResourceReport> {
    const report: Record<string, ResourceReport> = {};
    const free = this.#free();
    for (const [name, total] of Object.entries(this.#totals()))
      report[name] = { total: fromUnits(total), reserved: fromUnits(total - (free[name] ?? 0)) };
    if (this.#gpuIds !== undefined) {
      const left = this.#freeGpus().reduce((sum, units) => sum + units, 0);
      const total = this.#gpuIds.length;
      report['gpus'] = { total, reserved: total - fromUnits(left) };
    }
    return report;
  }

  #place(deployment: string, demand: Demand, maxPerInstance: number): Placed {
    return place({ demand, count: 1, maxPerInstance }, [this.space(deployment)]);
  }

  #totals(): Amounts {
    if (this.#total !== undefined) return this.#total;
    const { gpus: _, cpus = detectCpus(), memoryMb = detectMemoryMb(), ...custom } = this.#given;
    this.#total = {};
    for (const [name, amount] of Object.entries({ cpus, memoryMb, ...custom }))
      if (amount !== undefined) this.#total[name] = toUnits(amount);
    return this.#total;
  }

  #free(): Amounts {
    const free = { ...this.#totals() };
    for (const { demand } of this.#grants)
      for (const [name, units] of Object.entries(demand.amounts)) free[name] = (free[name] ?? 0) - units;
    return free;
  }

  #freeGpus(): number[] {
    const free = (this.#gpuIds ?? []).map(() => WHOLE);
    for (const { demand, gpus } of this.#grants)
      for (const index of gpus) free[index] = (free[index] ?? 0) - demand.gpus / gpus.length;
    return free;
  }

  #count(deployment: string): number {
    let count = 0;
    for (const grant of this.#grants) if (grant.deployment === deployment) count++;
    return count;
  }

  #lookForGpus(): void {
    if (this.#isLookingForGpus) return;
    this.#isLookingForGpus = true;
    void detectGpus().then((ids) => {
      this.#gpuIds = ids;
    });
  }
}

/** The first `count` devices visible to the process. */
function gpuIds(count: number): readonly string[] {
  const visible = process.env['CUDA_VISIBLE_DEVICES'];
  const known = visible === undefined ? [] : visibleGpus(visible);
  return Array.from({ length: count }, (_, index) => known[index] ?? String(index));
}
