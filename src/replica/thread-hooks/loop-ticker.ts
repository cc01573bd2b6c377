import { performance } from 'node:perf_hooks';
import type { ReplicaLoad } from '../../load/load-table.ts';
import { now } from '../../time/clock.ts';

/** Period over which the busy share of the event loop is measured, in ms. */
const UTILIZATION_MS = 1_000;

/** Tells the host that this thread's event loop turns, and how busy it is. Keeps the thread alive. */
export class LoopTicker {
  readonly #load: ReplicaLoad;
  #timer: NodeJS.Timeout | undefined = undefined;
  #busy = performance.eventLoopUtilization();
  #busySince = 0;

  constructor(load: ReplicaLoad) {
    this.#load = load;
  }

  /** @param ms period of the sign of life */
  every(ms: number): void {
    this.close();
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), ms);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const at = now();
    this.#load.beat(at);
    if (at - this.#busySince < UTILIZATION_MS) return;
    const busy = performance.eventLoopUtilization();
    this.#load.utilization = performance.eventLoopUtilization(busy, this.#busy).utilization;
    this.#busy = busy;
    this.#busySince = at;
  }
}
