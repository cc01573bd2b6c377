import { machineTime, type ThreadTime, type Timer, useTime } from '../../src/time/clock.ts';

const NO_TIMER: Timer = { ref() {}, unref() {} };

/** The time of this thread, moved by hand: what runs `soon` waits until the test lets the event loop turn. */
export class Turns implements Disposable {
  at = 1_000;
  #soon: Array<() => void> = [];
  readonly #restore: Disposable;

  constructor() {
    const time: ThreadTime = {
      ...machineTime,
      now: () => this.at,
      soon: (run) => {
        this.#soon.push(run);
        return NO_TIMER;
      },
    };
    this.#restore = useTime(time);
  }

  /** Whether something waits for the loop to turn. */
  get isPending(): boolean {
    return this.#soon.length > 0;
  }

  /** The loop turns once, and whatever that resolves goes on. */
  async turn(): Promise<void> {
    for (const run of this.#soon.splice(0)) run();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The loop turns until nothing waits for that. */
  async settle(): Promise<void> {
    while (this.isPending) await this.turn();
  }

  [Symbol.dispose](): void {
    this.#restore[Symbol.dispose]();
  }
}
