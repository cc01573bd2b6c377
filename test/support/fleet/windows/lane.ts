import type { World } from '../world.ts';

/** Messages of a link in one direction: in order, each after a delay. */
export class Lane {
  readonly #world: World;
  readonly #delayMs: () => number;
  #lastAt = 0;
  #isCut = false;

  constructor(world: World, delayMs: () => number) {
    this.#world = world;
    this.#delayMs = delayMs;
  }

  send(deliver: () => void): void {
    this.#lastAt = Math.max(this.#lastAt, this.#world.now + this.#delayMs());
    this.#world.after(this.#lastAt - this.#world.now, () => {
      if (!this.#isCut) deliver();
    });
  }

  /** Messages under way are lost. */
  cut(): void {
    this.#isCut = true;
  }
}
