import { HostWindows } from '../../../../src/cluster/peers/windows/host-windows.ts';
import type { World } from '../world.ts';
import { worldTime } from '../world-time.ts';
import type { SimulatedPeerCall } from './simulated-call.ts';

/** The calls that entered at the instance of a host, and wait there. */
export interface OwnCalls {
  readonly waiting: number;
  /** Sends waiting calls while there is room. */
  drain(): void;
}

/** The replicas of one instance, and the calls of peers that landed there. */
export class SimulatedHost {
  places: number;
  busy = 0;
  /** Greatest number of calls that ran at a time, beyond the places at that time. */
  excess = 0;
  readonly windows: HostWindows;
  readonly #landed: Array<() => void> = [];
  readonly #world: World;
  readonly #own: OwnCalls;

  constructor(world: World, places: number, own: OwnCalls) {
    this.#world = world;
    this.places = places;
    this.#own = own;
    const host = this;
    const ownPlaces = {
      get places() {
        return host.places;
      },
      get free() {
        return Math.max(0, host.free - host.#landed.length - own.waiting);
      },
    };
    this.windows = new HostWindows(ownPlaces, worldTime(world));
  }

  get free(): number {
    return this.places - this.busy;
  }

  /** Changes the number of places; calls beyond them run on. */
  resize(places: number): void {
    this.places = places;
    this.freed();
  }

  /** Runs a call, for which a place must be free. */
  run(call: SimulatedPeerCall, onEnd: () => void): void {
    if (this.free <= 0) this.excess++;
    this.busy++;
    call.begun();
    this.#world.after(call.serviceMs, () => {
      this.busy--;
      onEnd();
      this.freed();
    });
  }

  /** Begins an admitted call of a peer, or lets it wait. @returns a function that takes it back while it waits */
  accept(begin: () => void): () => boolean {
    if (this.free > 0 && this.#landed.length === 0 && this.#own.waiting === 0) {
      begin();
      return () => false;
    }
    this.#landed.push(begin);
    return () => {
      const index = this.#landed.indexOf(begin);
      if (index !== -1) this.#landed.splice(index, 1);
      return index !== -1;
    };
  }

  freed(): void {
    while (this.free > 0) {
      const begin = this.#landed.shift();
      if (begin === undefined) break;
      begin();
    }
    this.#own.drain();
    this.windows.freed();
  }
}
