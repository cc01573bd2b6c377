import { type ChaosSettings, parseSettings } from './chaos-options.ts';

/** Bytes that change when they pass. */
interface Pipe {
  deliver(): void;
}

/** One direction of all connections of a proxy. */
export class ChaosDirection {
  readonly random: () => number;
  readonly #pipes = new Set<Pipe>();
  #settings: ChaosSettings = {};

  constructor(random: () => number) {
    this.random = random;
  }

  get settings(): Readonly<ChaosSettings> {
    return this.#settings;
  }

  /**
   * Takes the place of the settings before, also for connections that are open. Delays are those of the moment in which bytes
   * come; `stall` and `resetAfterBytes` those of the moment in which they pass.
   *
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  set(settings: ChaosSettings): void {
    this.#settings = parseSettings(settings);
    for (const pipe of this.#pipes) pipe.deliver();
  }

  add(pipe: Pipe): void {
    this.#pipes.add(pipe);
  }

  remove(pipe: Pipe): void {
    this.#pipes.delete(pipe);
  }
}
