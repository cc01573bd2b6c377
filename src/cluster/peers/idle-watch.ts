import { now, type Timer, time } from '../../time/clock.ts';

/** A link without calls is closed after this time, in ms. */
const IDLE_MS = 60_000;
/** Period at which idle links are looked for, in ms. */
const LOOK_MS = 10_000;

/** The calls of one channel. */
interface Used {
  /** Number of calls that have ended so far. */
  readonly served: number;
  /** Number of calls that have not ended. */
  readonly outstanding: number;
}

/** Finds out that a link has had no calls for a while. */
export class IdleWatch {
  readonly #channels: () => Iterable<Used>;
  readonly #onLook: () => void;
  readonly #onIdle: () => void;
  readonly #timer: Timer;
  #since = now();
  #served = 0;

  /** @param onLook called every 10 s */
  constructor(channels: () => Iterable<Used>, onLook: () => void, onIdle: () => void) {
    this.#channels = channels;
    this.#onLook = onLook;
    this.#onIdle = onIdle;
    this.#timer = time.every(LOOK_MS, () => this.#look());
    this.#timer.unref();
  }

  close(): void {
    time.cancel(this.#timer);
  }

  #look(): void {
    let served = 0;
    let outstanding = 0;
    for (const channel of this.#channels()) {
      served += channel.served;
      outstanding += channel.outstanding;
    }
    const at = now();
    if (outstanding > 0 || served !== this.#served) this.#since = at;
    this.#served = served;
    this.#onLook();
    if (at - this.#since >= IDLE_MS) this.#onIdle();
  }
}
