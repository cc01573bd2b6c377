import { declarationHash } from '../../../src/cluster/document-codec.ts';
import type { Declaration } from '../../../src/cluster/documents.ts';
import type {
  Consultation,
  FleetEffect,
  FleetEvent,
  FleetFrame,
  LinkEnd,
} from '../../../src/cluster/node/events.ts';
import { FleetNode } from '../../../src/cluster/node/fleet-node.ts';
import { FLEET_TIMING, type FleetTiming } from '../../../src/cluster/node/timing.ts';
import type { StoreCalls } from '../../../src/cluster/store-calls.ts';
import type { Wish } from '../../../src/controller/autoscale.ts';
import type { Peer, SimulatedNetwork } from './simulated-network.ts';
import type { SimulatedStore, StoreClient } from './simulated-store.ts';
import { type OfferedLoad, StubInstance } from './stub-instance.ts';
import type { World } from './world.ts';

const TICK_MS = 250;

export interface InstanceOptions {
  readonly id: string;
  readonly epoch: number;
  readonly declaration: Declaration;
  readonly timing?: FleetTiming;
  readonly cpus?: number;
  readonly zone?: string;
  /** Time that a replica takes to start, in ms. */
  readonly startMs?: number;
  /** Of its monotonic clock against the world's. */
  readonly clockRate?: number;
  /** Answers for the autoscaling policies of its code. */
  readonly policy?: (question: Consultation) => Wish;
}

export interface InstanceHost {
  readonly world: World;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly calls: StoreCalls;
  readonly load: OfferedLoad;
  /** Sees every effect before it is carried out. */
  onEffect(instance: SimulatedInstance, effect: FleetEffect): void;
  onClosed(instance: SimulatedInstance): void;
}

/** One node with its own clock, its host and its connections. */
export class SimulatedInstance implements Peer, StoreClient {
  readonly id: string;
  readonly node: FleetNode;
  readonly stub: StubInstance;
  readonly calls: StoreCalls;
  readonly declaration: Declaration;
  readonly #host: InstanceHost;
  readonly #rate: number;
  readonly #policy: (question: Consultation) => Wish;
  readonly #startedAt: number;
  isAlive = true;
  #frozenUntil = 0;
  #hostBlockedUntil = 0;
  readonly #backlog: FleetEvent[] = [];
  /** Answers to commands, by their numbers. */
  readonly answers = new Map<number, string | undefined>();
  readonly faults: string[] = [];
  targets: Readonly<Record<string, number>> = {};

  constructor(host: InstanceHost, options: InstanceOptions) {
    const {
      id,
      epoch,
      declaration,
      timing = FLEET_TIMING,
      cpus = 8,
      zone = '',
      startMs = 500,
      clockRate = 1,
      policy = () => ({ hold: 'no policy' }),
    } = options;
    this.id = id;
    this.calls = host.calls;
    this.declaration = declaration;
    this.#host = host;
    this.#rate = clockRate;
    this.#policy = policy;
    this.#startedAt = host.world.now;
    this.stub = new StubInstance(host.world, startMs);
    this.node = new FleetNode({
      identity: {
        id,
        epoch,
        address: `${id}:7411`,
        certificate: '',
        protocols: [1],
        resources: { cpus: cpus * 10_000 },
        gpus: 0,
        zone,
      },
      declaration,
      declarationHash: declarationHash(declaration),
      timing,
    });
    host.store.connect(this);
    host.network.add(this);
    host.world.after(host.world.between(0, TICK_MS), () => this.#tick());
  }

  get isListening(): boolean {
    return this.isAlive;
  }

  get isResponding(): boolean {
    return this.isAlive && !this.isFrozen;
  }

  get isFrozen(): boolean {
    return this.#host.world.now < this.#frozenUntil;
  }

  handle(event: FleetEvent): void {
    if (!this.isAlive) return;
    if (this.isFrozen) {
      this.#backlog.push(event);
      return;
    }
    const elapsed = (this.#host.world.now - this.#startedAt) * this.#rate;
    for (const effect of this.node.handle(event, elapsed)) this.#carryOut(effect);
  }

  freeze(ms: number): void {
    const { world, network } = this.#host;
    this.#frozenUntil = Math.max(this.#frozenUntil, world.now + ms);
    for (const peer of network.linksOf(this.id)) network.checkLater(this.id, peer);
    world.after(ms, () => {
      if (this.isFrozen) return;
      for (const event of this.#backlog.splice(0)) this.handle(event);
    });
  }

  blockHost(ms: number): void {
    this.#hostBlockedUntil = Math.max(this.#hostBlockedUntil, this.#host.world.now + ms);
  }

  /** Ends like a process that is killed. */
  kill(): void {
    this.isAlive = false;
    this.#host.store.disconnect(this.id);
    this.#host.network.closeAll(this.id);
  }

  linkUp(peer: string): void {
    this.handle({ type: 'linkUp', peer });
  }

  linkDown(peer: string, cause: LinkEnd): void {
    this.handle({ type: 'linkDown', peer, cause });
  }

  receive(peer: string, frame: FleetFrame): void {
    this.handle({ type: 'frame', peer, frame });
  }

  onHint(hint: Parameters<StoreClient['onHint']>[0]): void {
    this.handle({ type: 'hint', hint });
  }

  #tick(): void {
    if (!this.isAlive) return;
    const { world, load } = this.#host;
    if (!this.isFrozen) {
      if (world.now >= this.#hostBlockedUntil) {
        const loads = this.stub.report(load);
        const isReady = Object.values(loads).some(({ running }) => running > 0);
        this.handle({ type: 'hostReport', loads, hostLagMs: 0, isReady });
        for (const [deployment, { queued, running }] of Object.entries(loads))
          if (queued > 0 && running === 0) this.handle({ type: 'demand', deployment });
      }
      this.handle({ type: 'tick' });
    }
    world.after(TICK_MS / this.#rate, () => this.#tick());
  }

  #carryOut(effect: FleetEffect): void {
    const { store, network } = this.#host;
    this.#host.onEffect(this, effect);
    switch (effect.type) {
      case 'store': {
        const { call, request } = effect;
        store.call(this, request, (answer, failure) =>
          this.handle(
            answer === undefined ? { type: 'storeFailed', call, failure } : { type: 'stored', call, answer },
          ),
        );
        break;
      }
      case 'dial':
        network.dial(this.id, effect.peer);
        break;
      case 'send':
        network.send(this.id, effect.peer, effect.frame);
        break;
      case 'apply':
        this.targets = effect.targets;
        this.stub.apply(effect.targets);
        break;
      case 'commandDone':
        this.answers.set(effect.command, effect.failure);
        break;
      case 'consult': {
        const wishes = effect.consultations.map((one) => [one.deployment, this.#policy(one)] as const);
        // The host answers in a turn of its own.
        this.#host.world.after(1, () => this.handle({ type: 'advice', wishes: Object.fromEntries(wishes) }));
        break;
      }
      case 'fault':
        this.faults.push(`${effect.cause}: ${effect.message}`);
        break;
      case 'closed':
        this.kill();
        this.#host.onClosed(this);
        break;
    }
  }
}
