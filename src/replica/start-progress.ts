import { describe } from '../values/describe-value.ts';

/** The least time between two messages, in ms; the last one of a burst follows when it is over. */
const LEAST_MS = 250;
/** The most characters of a message. */
const MOST_CHARACTERS = 200;

/** Passes on what user code says about its start, no more often than a person can read. */
export class StartProgress {
  readonly #send: (message: string) => void;
  #sentAt = Number.NEGATIVE_INFINITY;
  #latest = '';
  #timer: NodeJS.Timeout | undefined = undefined;
  #isOver = false;

  constructor(send: (message: string) => void) {
    this.#send = send;
  }

  readonly report = (message: string): void => {
    if (this.#isOver) return;
    const text = typeof message === 'string' ? message : describe(message);
    this.#latest = text.slice(0, MOST_CHARACTERS);
    const waitMs = this.#sentAt + LEAST_MS - performance.now();
    if (waitMs <= 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs).unref();
  };

  /** The start is over. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentAt = performance.now();
    this.#send(this.#latest);
  }
}
