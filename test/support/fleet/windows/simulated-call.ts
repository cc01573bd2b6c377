import type { World } from '../world.ts';

/** A call in the simulation. Times are ms of the world's clock. */
export class SimulatedPeerCall {
  readonly arrivedAt: number;
  readonly serviceMs: number;
  /** Name of the instance where the call entered. */
  readonly entry: string;
  /** Time at which a replica began the call. */
  begunAt: number | undefined = undefined;
  begins = 0;
  /** Answers, and losses with a link. */
  ends = 0;
  refusals = 0;
  readonly #world: World;

  constructor(world: World, entry: string, serviceMs: number) {
    this.#world = world;
    this.arrivedAt = world.now;
    this.entry = entry;
    this.serviceMs = serviceMs;
  }

  get waitMs(): number {
    return (this.begunAt ?? Number.POSITIVE_INFINITY) - this.arrivedAt;
  }

  begun(): void {
    this.begunAt = this.#world.now;
    this.begins++;
  }
}
