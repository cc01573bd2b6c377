/** Number of measurements at the opening of a link. */
const FIRST = 3;
/** Number of measurements of which the shortest counts. */
const REMEMBERED = 8;

/**
 * Measures the round trip of a link. The shortest of the last measurements counts: the others hold the time for which one of both
 * threads was busy.
 */
export class RoundTrip {
  readonly #ping: (number: number) => void;
  readonly #now: () => number;
  readonly #samples: number[] = [];
  /** Negative numbers, since the pings of a pulse have positive ones. */
  #number = 0;
  /** Time at which the open ping was sent; undefined = none is open. */
  #sentAt: number | undefined = undefined;
  #halfMs = 0;

  /** The link opened. @param ping sends a frame `ping` */
  constructor(ping: (number: number) => void, now: () => number) {
    this.#ping = ping;
    this.#now = now;
    this.measure();
  }

  /** Half of the round trip, in ms; 0 = unknown. */
  get halfMs(): number {
    return this.#halfMs;
  }

  /** Measures again, unless the last measurement is still under way. */
  measure(): void {
    if (this.#sentAt !== undefined) return;
    this.#sentAt = this.#now();
    this.#ping(--this.#number);
  }

  /** A frame `pong` came. */
  pong(number: number): void {
    if (number !== this.#number || this.#sentAt === undefined) return;
    this.#samples.push(this.#now() - this.#sentAt);
    this.#sentAt = undefined;
    if (this.#samples.length < FIRST) {
      this.measure();
      return;
    }
    if (this.#samples.length > REMEMBERED) this.#samples.shift();
    this.#halfMs = Math.min(...this.#samples) / 2;
  }
}
