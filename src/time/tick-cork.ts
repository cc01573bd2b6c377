/** The part of a socket that collects its writes. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

/** Collects what is written to a socket within one tick into one write. */
export class TickCork {
  readonly #socket: Corkable;
  #isCorked = false;

  constructor(socket: Corkable) {
    this.#socket = socket;
  }

  /** Call it before each write. */
  cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(this.#uncork);
  }

  readonly #uncork = (): void => {
    this.#isCorked = false;
    this.#socket.uncork();
  };
}
