import type { Reports } from '../reports.ts';
import type { FleetTiming } from '../timing.ts';
import type { DesiredDeployment } from './merge.ts';

interface Failures {
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
    ids: readonly string[],
    deployments: readonly DesiredDeployment[],
    reports: Reports,
    now: number,
  ): void {
    for (const { key } of deployments) {
      for (const id of ids) {
        const load = reports.load(id, key);
        if (load === undefined) continue;
        if (load.failures === 0 && this.#records.size === 0) continue;
        const name = `${id} ${key}`;
        const record = this.#records.get(name);
        if (load.failures === 0 && record === undefined) continue;
        if (load.running > 0) {
          this.#records.set(name, { failures: load.failures, times: 0, until: -Infinity });
          continue;
        }
        if (record === undefined) this.#records.set(name, this.#bar(load.failures, 1, now));
        else if (load.failures > record.failures && now >= record.until)
          this.#records.set(name, this.#bar(load.failures, record.times + 1, now));
        else if (load.failures < record.failures) record.failures = load.failures;
      }
    }
  }

  /** The instances among these that may have the deployment: the same list if all of them may. */
  allowed(deployment: string, ids: readonly string[], now: number): readonly string[] {
    if (this.#records.size === 0 || !ids.some((id) => this.has(deployment, id, now))) return ids;
    return ids.filter((id) => !this.has(deployment, id, now));
  }

  has(deployment: string, id: string, now: number): boolean {
    return (this.#records.get(`${id} ${deployment}`)?.until ?? -Infinity) > now;
  }

  #bar(failures: number, times: number, now: number): Failures {
    return { failures, times, until: now + times * this.#timing.barredMs };
  }
}
