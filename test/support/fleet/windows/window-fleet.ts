import type { Durations } from '../../../../sim/engine/random.ts';
import type { World } from '../world.ts';
import { SimulatedPeerCall } from './simulated-call.ts';
import { SimulatedHost } from './simulated-host.ts';
import { SimulatedLink } from './simulated-link.ts';

/** Share of its places up to which an instance prefers its own replicas: `handle/endpoints/tiers.ts`. */
const PREFERRED_SHARE = 0.5;

/** An instance: calls enter, wait in order, and go to its own replicas or to those of its peers. */
export class CallingInstance {
  readonly name: string;
  readonly host: SimulatedHost;
  links: SimulatedLink[] = [];
  readonly #fleet: WindowFleet;
  readonly #queue: SimulatedPeerCall[] = [];

  constructor(fleet: WindowFleet, name: string, places: number) {
    this.#fleet = fleet;
    this.name = name;
    this.host = new SimulatedHost(fleet.world, places, this);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  enter(serviceMs: number): void {
    const call = new SimulatedPeerCall(this.#fleet.world, this.name, serviceMs);
    this.#fleet.calls.push(call);
    this.#queue.push(call);
    this.drain();
  }

  putBack(call: SimulatedPeerCall): void {
    this.#queue.unshift(call);
    this.drain();
  }

  ended(call: SimulatedPeerCall): void {
    call.ends++;
  }

  drain(): void {
    for (let call = this.#queue[0]; call !== undefined; call = this.#queue[0]) {
      const { host } = this;
      const link = host.busy < PREFERRED_SHARE * host.places ? undefined : this.#choose();
      if (link === undefined && host.free <= 0) return;
      this.#queue.shift();
      if (link === undefined) this.#runHere(call);
      else link.send(call);
    }
  }

  connect(peer: CallingInstance): void {
    this.links.push(new SimulatedLink(this.#fleet.world, peer.host, this, this.#fleet.delayMs));
  }

  /** Breaks a link; another one opens after a while. */
  breakLink(link: SimulatedLink, ms: number): void {
    this.links = this.links.filter((other) => other !== link);
    link.cut();
    const peer = this.#fleet.instances.find(({ host }) => host === link.host);
    this.#fleet.world.after(ms, () => {
      if (peer !== undefined) this.connect(peer);
    });
  }

  /** The cheaper of two links with room at random, or the own replicas if they are cheaper: undefined. */
  #choose(): SimulatedLink | undefined {
    const withPlace = this.links.filter(({ hasPlace }) => hasPlace);
    const mayWait = withPlace.length === 0 && this.host.free <= 0;
    const open = mayWait ? this.links.filter(({ hasRoom }) => hasRoom) : withPlace;
    const [one, other] = [this.#fleet.world.pick(open), this.#fleet.world.pick(open)];
    if (one === undefined || other === undefined) return undefined;
    const best = one.score <= other.score ? one : other;
    const { busy, places, free } = this.host;
    return free > 0 && (busy + 1) / places <= best.score ? undefined : best;
  }

  #runHere(call: SimulatedPeerCall): void {
    this.host.run(call, () => this.ended(call));
  }
}

/** Instances that share their replicas through windows, under a virtual clock. */
export class WindowFleet {
  readonly world: World;
  readonly instances: CallingInstance[];
  readonly calls: SimulatedPeerCall[] = [];
  /** Returns the time that a message is under way, in ms. */
  readonly delayMs: () => number;

  /** @param places of each instance's replicas; an instance without replicas only calls */
  constructor(world: World, places: readonly number[], delayMs: () => number) {
    this.world = world;
    this.delayMs = delayMs;
    this.instances = places.map((count, index) => new CallingInstance(this, `instance-${index}`, count));
    for (const instance of this.instances)
      for (const peer of this.instances)
        if (peer !== instance && peer.host.places > 0) instance.connect(peer);
  }

  get places(): number {
    return this.instances.reduce((sum, { host }) => sum + host.places, 0);
  }

  get excess(): number {
    return Math.max(...this.instances.map(({ host }) => host.excess));
  }

  get refusals(): number {
    return this.calls.reduce((sum, { refusals }) => sum + refusals, 0);
  }

  get meanWaitMs(): number {
    return this.calls.reduce((sum, { waitMs }) => sum + waitMs, 0) / this.calls.length;
  }

  /**
   * Lets calls enter at random times.
   * @param meanMs mean time between two calls
   * @param entry returns the instance of the next call; undefined = the call is not made
   */
  arrive(count: number, meanMs: number, service: Durations, entry: () => CallingInstance | undefined): void {
    const { world } = this;
    const next = (left: number): void => {
      if (left === 0) return;
      world.after(-meanMs * Math.log(1 - world.random()), () => {
        entry()?.enter(service.draw(world.random));
        next(left - 1);
      });
    };
    next(count);
  }

  /** Mean wait of the same calls in one queue before all places, without delay. */
  idealWaitMs(): number {
    const freeAt = new Float64Array(this.places);
    let sum = 0;
    for (const { arrivedAt, serviceMs } of this.calls) {
      const first = freeAt.indexOf(Math.min(...freeAt));
      const begunAt = Math.max(arrivedAt, freeAt[first] as number);
      freeAt[first] = begunAt + serviceMs;
      sum += begunAt - arrivedAt;
    }
    return sum / this.calls.length;
  }
}
