import type { VirtualTime } from '../../../sim/engine/virtual-time.ts';
import type { Connectors } from '../../../src/handle/routing/connector.ts';
import { EndpointRegistry } from '../../../src/handle/routing/endpoint-registry.ts';
import { Router } from '../../../src/handle/routing/router.ts';
import { threadConnector } from '../../../src/handle/routing/thread-link.ts';
import { ControlPlane } from '../../../src/instance/control-plane.ts';
import { ResourceLedger } from '../../../src/instance/resources/resource-ledger.ts';
import { UnobservedFailures } from '../../../src/instance/unobserved-failures.ts';
import { InlineReplicas } from '../../../src/isolation/inline/inline-replicas.ts';
import { CallCounts } from '../../../src/observe/call-counts.ts';
import { Events } from '../../../src/observe/events.ts';
import { HttpCounts } from '../../../src/observe/http-counts.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { entryOf } from '../../../src/store/snapshot.ts';
import type { Clock } from '../../../src/time/control-clock.ts';
import { HostMetrics } from '../../../src/user-metrics/host-metrics.ts';
import { Records } from '../quiet.ts';
import { SimulatedLoad } from './simulated-load.ts';
import { type Behaviour, SimulatedHosts } from './simulated-replica.ts';

const INSTANCE = 'simulated';
const TICK_MS = 250;
const LOAD_STEP_MS = 100;
/** Under no simulation are there as many replicas. */
const CPUS = 1_000;
/** Simulated calls go to replicas without a channel. */
const CONNECTORS: Connectors = {
  thread: threadConnector,
  inline: { connect: () => Promise.reject(new Error('no deployment is inline')) },
};

/** An instance as it is shipped, by virtual time, with replicas and calls that are simulated. */
export class SimulatedInstance {
  readonly store = new MemoryStore();
  readonly events: Events;
  readonly hosts: SimulatedHosts;
  readonly plane: ControlPlane;
  readonly time: VirtualTime;
  /** Calls per second, by app; all of its deployments get them. */
  readonly rates = new Map<string, number>();
  readonly #registry = new EndpointRegistry();
  readonly #loads = new Map<string, SimulatedLoad>();
  readonly #ends: Array<() => void> = [];
  /** What a listener threw. */
  readonly problems: unknown[] = [];

  constructor(time: VirtualTime, behaviours: ReadonlyMap<string, Behaviour>) {
    this.time = time;
    this.events = new Events((error) => this.problems.push(error));
    this.hosts = new SimulatedHosts(behaviours);
    const log = new Records();
    const book = new CallCounts(() => true);
    let callers = 0;
    const router = new Router(
      { index: 0, instanceId: INSTANCE, name: INSTANCE },
      { subscribe() {}, replaced() {}, lost() {} },
      { connectors: CONNECTORS, onUnobserved() {} },
    );
    this.plane = new ControlPlane({
      store: this.store,
      instanceId: INSTANCE,
      registry: this.#registry,
      inlineReplicas: new InlineReplicas(INSTANCE),
      events: this.events,
      log,
      clock: this.#clock(),
      resources: new ResourceLedger({ cpus: CPUS, memoryMb: 1 }, INSTANCE, log),
      replicaHosts: () => this.hosts.hosts(),
      tenants: undefined,
      dev: undefined,
      nextCallerIndex: () => ++callers,
      book,
      userMetrics: new HostMetrics(() => {}),
      unobserved: new UnobservedFailures(book, log, this.events),
      router,
      httpCounts: new HttpCounts(),
      isInline: false,
      version: '1',
      counts: () => ({}) as never,
      begin() {},
    });
    this.#every(TICK_MS, () => this.plane.tick(this.time.now()));
    this.#every(LOAD_STEP_MS, () => this.#stepLoads());
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    await this.time.advanceTo(this.time.now() + ms);
  }

  /** Lets the time pass until something is over. */
  async until(promise: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = (): void => {
      isOver = true;
    };
    promise.then(end, end);
    for (let ms = 0; !isOver; ms += TICK_MS) {
      if (ms > 300_000) throw new Error('something never ends');
      await this.pass(TICK_MS);
    }
  }

  async close(): Promise<void> {
    this.rates.clear();
    await this.until(this.plane.close(1_000));
    for (const end of this.#ends) end();
    // The timer wheel stops once nothing holds it.
    await this.pass(1_000);
  }

  /** A canary takes its share of the calls to the app. */
  #stepLoads(): void {
    const { shares } = this.store.read().plan;
    const rates = new Map<string, number>();
    for (const [app, rate] of this.rates) {
      const canary = entryOf(shares, app);
      const share = canary?.kind === 'canary' ? canary.share : 0;
      rates.set(app, rate * (1 - share));
      if (canary !== undefined) rates.set(canary.app, rate * (canary.kind === 'canary' ? share : 1));
    }
    for (const { name, deployments } of this.plane.apps)
      for (const deployment of deployments.keys())
        this.#load(name, deployment).step(((rates.get(name) ?? 0) * LOAD_STEP_MS) / 1_000);
  }

  #load(app: string, deployment: string): SimulatedLoad {
    const key = `${app}/${deployment}`;
    const load =
      this.#loads.get(key) ??
      new SimulatedLoad(app, deployment, this.hosts, this.#registry, () => this.time.random());
    this.#loads.set(key, load);
    return load;
  }

  #clock(): Clock {
    const { time } = this;
    return {
      now: () => time.now(),
      timestamp: () => time.now(),
      every(ms, run) {
        const timer = time.every(ms, run);
        return () => time.cancel(timer);
      },
    };
  }

  #every(ms: number, run: () => void): void {
    const timer = this.time.every(ms, run);
    this.#ends.push(() => this.time.cancel(timer));
  }
}
