import { DocumentCodec } from '../../../src/cluster/document-codec.ts';
import type { Declaration } from '../../../src/cluster/documents.ts';
import type { FleetEffect } from '../../../src/cluster/node/events.ts';
import type { OverrideChange } from '../../../src/cluster/node/overrides.ts';
import { FLEET_TIMING } from '../../../src/cluster/node/timing.ts';
import { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { Seal } from '../../../src/cluster/redis/seal.ts';
import { StoreCalls } from '../../../src/cluster/store-calls.ts';
import { mixedDeclaration } from './fixtures.ts';
import { Invariants } from './invariants.ts';
import { type InstanceOptions, SimulatedInstance } from './simulated-instance.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedStore } from './simulated-store.ts';
import type { OfferedLoad } from './stub-instance.ts';
import { World } from './world.ts';

/** Calls that one replica carries at a time. */
const PLACES = 16;
const CODEC = new DocumentCodec(new FleetKeys('test'), new Seal(['0123456789abcdef0123456789abcdef']));

/** Nodes, their store and their network under one heap of events and one seed. Invariants hold after every event. */
export class SimulatedFleet {
  readonly world: World;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly invariants: Invariants;
  readonly instances = new Map<string, SimulatedInstance>();
  /** Calls at a time, by deployment. */
  readonly load = new Map<string, number>();
  /** Whether the store's wall clock does not jump in this run. */
  readonly hasSteadyClock: boolean;
  readonly closed = new Set<string>();
  #started = 0;
  #commands = 0;
  readonly #declaration: Declaration;

  constructor(seed: number, declaration: Declaration = mixedDeclaration()) {
    this.world = new World(seed);
    this.hasSteadyClock = this.world.random() < 0.5;
    this.store = new SimulatedStore(this.world);
    this.network = new SimulatedNetwork(this.world);
    this.invariants = new Invariants(this.world, () => [...this.instances.values()]);
    this.#declaration = declaration;
    this.#note();
  }

  get codec(): DocumentCodec {
    return CODEC;
  }

  /** Starts an instance; the same id again is the same instance after a restart. */
  start(id: string = `i${this.#started}`, options: Partial<InstanceOptions> = {}): SimulatedInstance {
    this.#started++;
    const { world, store, network, invariants } = this;
    const instance = new SimulatedInstance(
      {
        world,
        store,
        network,
        calls: new StoreCalls(id, CODEC, FLEET_TIMING),
        load: this.#shares,
        onEffect: (from: SimulatedInstance, effect: FleetEffect) => invariants.onEffect(from, effect),
        onClosed: ({ id: closed }) => this.closed.add(closed),
      },
      { id, epoch: 1_000_000 + Math.floor(world.now), declaration: this.#declaration, ...options },
    );
    this.instances.set(id, instance);
    world.afterEach = () => this.#check();
    return instance;
  }

  startMany(count: number, options: Partial<InstanceOptions> = {}): SimulatedInstance[] {
    return Array.from({ length: count }, () => this.start(undefined, options));
  }

  run(ms: number): void {
    this.world.run(ms);
  }

  /** Lets time pass until something holds. @returns how long it took, in ms */
  until(isSo: () => boolean, withinMs: number, what = 'what was awaited'): number {
    const since = this.world.now;
    while (!isSo()) {
      if (this.world.now - since >= withinMs)
        throw new Error(`not within ${withinMs} ms: ${what}\n${this.describe()}`);
      this.world.run(50);
    }
    return this.world.now - since;
  }

  alive(): SimulatedInstance[] {
    return [...this.instances.values()].filter(({ isAlive }) => isAlive);
  }

  leaders(): SimulatedInstance[] {
    return this.alive().filter(({ node, isFrozen }) => !isFrozen && node.situation.isLeading);
  }

  leader(): SimulatedInstance {
    const [leader] = this.leaders();
    if (leader === undefined) throw new Error(`nobody leads\n${this.describe()}`);
    return leader;
  }

  running(deployment: string): number {
    return this.alive().reduce((sum, { stub }) => sum + stub.running(deployment), 0);
  }

  targeted(deployment: string): number {
    return this.alive().reduce((sum, { stub }) => sum + stub.target(deployment), 0);
  }

  partition(a: string, b: string): void {
    this.network.block(a, b);
    this.network.block(b, a);
  }

  heal(a: string, b: string): void {
    this.network.unblock(a, b);
    this.network.unblock(b, a);
  }

  command(instance: SimulatedInstance, change: OverrideChange): number {
    const command = ++this.#commands;
    instance.handle({ type: 'command', command, change });
    return command;
  }

  /** Scales the fixed deployment by command. */
  scale(instance: SimulatedInstance, numReplicas: number): number {
    return this.command(instance, {
      kind: 'scale',
      deployment: 'shop/fixed',
      scale: { replicas: numReplicas },
    });
  }

  /** Replicas of the fixed deployment that the newest overrides of the fleet ask for. */
  get wanted(): number {
    const scale = this.leader().node.overrides.scales['shop/fixed'];
    return scale !== undefined && 'replicas' in scale ? scale.replicas : 5;
  }

  /** One leader, one plan that everybody has, and all that it says runs. */
  isSettled(): boolean {
    const alive = this.alive();
    const [leader, second] = this.leaders();
    const plan = leader?.node.situation.plan;
    if (plan === undefined || second !== undefined) return false;
    if (!alive.every(({ id }) => plan.instances.includes(id)) || plan.instances.length !== alive.length)
      return false;
    return alive.every(({ id, node, stub }) => {
      if (node.situation.plan?.number !== plan.number || node.situation.plan.token !== plan.token)
        return false;
      const index = plan.instances.indexOf(id);
      return Object.entries(plan.counts).every(([key, counts]) => stub.running(key) === counts[index]);
    });
  }

  describe(): string {
    const lines = this.alive().map(({ id, node, targets, isFrozen }) => {
      const { plan, leader, token, isLeading, isStoreUp } = node.situation;
      const links = this.network.linksOf(id).length;
      const place = `${isLeading ? 'leads' : ''}${isFrozen ? ' frozen' : ''} store ${isStoreUp ? 'up' : 'down'}, ${links} links`;
      return `${id}: ${place}, plan ${plan?.number}/${plan?.token} by ${plan?.owner}, knows ${leader} ${token}, ${JSON.stringify(targets)}`;
    });
    return [`at ${Math.round(this.world.now)} ms`, ...lines].join('\n');
  }

  #check(): void {
    for (const instance of this.instances.values()) if (instance.isAlive) this.invariants.check(instance);
  }

  #note(): void {
    this.invariants.note();
    this.world.after(250, () => this.#note());
  }

  readonly #shares: OfferedLoad = {
    share: (deployment, running) => {
      const load = this.load.get(deployment) ?? 0;
      if (load === 0) return { ongoing: 0, queued: 0 };
      const total = this.running(deployment);
      // Without any replica all calls wait where they came in.
      if (total === 0) return { ongoing: 0, queued: load / this.alive().length };
      const own = (load * running) / total;
      const ongoing = Math.min(own, running * PLACES);
      return { ongoing, queued: own - ongoing };
    },
  };
}
