import type { LocalLoad } from '../events.ts';
import type { Reports } from '../reports.ts';
import type { FleetTiming } from '../timing.ts';
import type { DesiredDeployment } from './merge.ts';

interface Failures {
  readonly id: string;
  readonly key: string;
  /** Number of counted failed starts. */
  failures: number;
  times: number;
  until: number;
}

/** Bars instances on which a deployment does not start: a bad version must not keep replicas from good instances. */
export class Barred {
  readonly #timing: FleetTiming;
  readonly #records = new Map<string, Failures>();

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  update(
    ids: ReadonlySet<string>,
    deployments: readonly DesiredDeployment[],
    reports: Reports,
    now: number,
  ): void {
    const keys = new Set(deployments.map(({ key }) => key));
    for (const [name, record] of this.#records) {
      const isGone = !ids.has(record.id) || !keys.has(record.key);
      if (isGone && now >= record.until) this.#records.delete(name);
      const load = ids.has(record.id) ? reports.load(record.id, record.key) : undefined;
      if (load !== undefined) this.#recount(record, load, now);
    }
    for (const { key } of deployments) {
      for (const [id, { failures, running }] of reports.active(key)) {
        if (failures === 0 || !ids.has(id) || this.#records.has(nameOf(id, key))) continue;
        const record = { id, key, failures, times: 0, until: -Infinity };
        this.#records.set(nameOf(id, key), record);
        if (running === 0) this.#bar(record, now);
      }
    }
  }

  /** Number of instances and deployments that are remembered. */
  get size(): number {
    return this.#records.size;
  }

  /** The instances among these that may have the deployment: the same list if all of them may. */
  allowed(deployment: string, ids: readonly string[], now: number): readonly string[] {
    if (this.size === 0 || !ids.some((id) => this.has(deployment, id, now))) return ids;
    return ids.filter((id) => !this.has(deployment, id, now));
  }

  has(deployment: string, id: string, now: number): boolean {
    return (this.#records.get(nameOf(id, deployment))?.until ?? -Infinity) > now;
  }

  #recount(record: Failures, { failures, running }: LocalLoad, now: number): void {
    if (running > 0) {
      record.failures = failures;
      record.times = 0;
      record.until = -Infinity;
    } else if (failures > record.failures && now >= record.until) {
      record.failures = failures;
      this.#bar(record, now);
    } else if (failures < record.failures) record.failures = failures;
  }

  #bar(record: Failures, now: number): void {
    record.times++;
    record.until = now + record.times * this.#timing.barredMs;
  }
}

function nameOf(id: string, key: string): string {
  return `${id} ${key}`;
}
