import { type Random, seeded } from '../../../sim/engine/random.ts';
import { Heap } from '../../../src/handle/queue/binary-heap.ts';

interface Planned {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** One heap of events under a virtual clock. Nothing in it waits: the same seed gives the same run. */
export class World {
  readonly random: Random;
  readonly #events = new Heap<Planned>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at));
  #now = 0;
  #planned = 0;
  /** Called after every event. */
  afterEach: () => void = () => {};

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** In ms. */
  get now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.#now + Math.max(0, ms), order: this.#planned++, run });
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    const end = this.#now + ms;
    for (
      let event = this.#events.peek();
      event !== undefined && event.at <= end;
      event = this.#events.peek()
    ) {
      this.#events.pop();
      this.#now = event.at;
      event.run();
      this.afterEach();
    }
    this.#now = end;
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }
}
