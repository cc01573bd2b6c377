import { LinkLedger } from '../../../src/channel/link-ledger.ts';
import { routeKey } from '../../../src/handle/routing/directory.ts';
import type { EndpointRegistry } from '../../../src/handle/routing/endpoint-registry.ts';
import { type DeploymentLoad, QueueLedger } from '../../../src/load/deployment-load.ts';
import { RESERVED } from '../../../src/load/load-table.ts';
import { now } from '../../../src/time/clock.ts';
import type { SimulatedHosts, SimulatedReplica } from './simulated-replica.ts';

/** A call waits for at most so long. */
const DEADLINE_MS = 3_000;

interface RunningCall {
  readonly replica: SimulatedReplica;
  readonly endsAt: number;
  readonly ms: number;
  readonly fails: boolean;
}

/** Calls to one deployment, at an even rate. They hold places in the load table and wait in its queue, as real ones do. */
export class SimulatedLoad {
  readonly #app: string;
  readonly #deployment: string;
  readonly #hosts: SimulatedHosts;
  readonly #registry: EndpointRegistry;
  readonly #random: () => number;
  readonly #link = new LinkLedger();
  readonly #queue = new QueueLedger();
  /** The table that the waiting calls are in. */
  #table: DeploymentLoad | undefined = undefined;
  #waiting: number[] = [];
  #running: RunningCall[] = [];
  /** Calls that are due, less those that came. */
  #owed = 0;

  constructor(
    app: string,
    deployment: string,
    hosts: SimulatedHosts,
    registry: EndpointRegistry,
    random: () => number,
  ) {
    this.#app = app;
    this.#deployment = deployment;
    this.#hosts = hosts;
    this.#registry = registry;
    this.#random = random;
  }

  /** Ends calls that are due, and begins others. @param calls that come now; a fraction is kept for later */
  step(calls: number): void {
    const at = now();
    this.#end(at);
    const table = this.#registry.load(routeKey(this.#app, this.#deployment));
    if (table !== this.#table) {
      // Another deployment of that name: those that waited for the one before were refused.
      this.#table = table;
      this.#waiting = [];
    }
    if (table === undefined) return;
    while ((this.#waiting[0] ?? Infinity) <= at - DEADLINE_MS) this.#leave(table);
    for (this.#owed += calls; this.#owed >= 1; this.#owed--)
      if (table.enqueue(0, this.#queue, false, () => 0)) this.#waiting.push(at);
    while (this.#waiting.length > 0 && this.#begin(at)) this.#leave(table);
  }

  #leave(table: DeploymentLoad): void {
    this.#waiting.shift();
    table.dequeue(0, this.#queue);
  }

  /** Whether a replica had room for one call. */
  #begin(at: number): boolean {
    const replicas = [...this.#hosts.of(this.#app, this.#deployment)];
    replicas.sort((a, b) => a.load.ongoing - b.load.ongoing);
    for (const replica of replicas) {
      if (replica.isGone || replica.load.reserve(this.#link, at) !== RESERVED.ok) continue;
      const { callMs: ms, failing = 0 } = replica.behaviour;
      this.#running.push({ replica, endsAt: at + ms, ms, fails: this.#random() < failing });
      return true;
    }
    return false;
  }

  #end(at: number): void {
    const left: RunningCall[] = [];
    for (const call of this.#running) {
      if (call.replica.isGone) continue;
      if (call.endsAt > at) {
        left.push(call);
        continue;
      }
      const { load, tally } = call.replica;
      tally.record(call.fails, tally.isObserved ? call.ms : undefined);
      load.countServed(1);
      load.release(1);
    }
    this.#running = left;
  }
}
