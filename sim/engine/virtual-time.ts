import { Heap } from '../../src/handle/queue/binary-heap.ts';
import { type ThreadTime, type Timer, time, useTime } from '../../src/time/clock.ts';
import { type Random, seeded } from './random.ts';

/** Node's timers wait for at least so long. */
const LEAST_MS = 1;
/** A message to another thread takes so long, in ms, and so does a wake-up. */
export const MESSAGE_MS = 0.135;

/** A thread of its own: while its code computes, its events wait. */
export class VirtualThread {
  /** @internal */ busyUntil = 0;
  /** For how long its code has computed. */
  activeMs = 0;
}

interface Event extends Timer {
  at: number;
  /** Events of the same time run in the order in which they were planned. */
  order: number;
  readonly thread: VirtualThread;
  run: () => void;
  isCancelled: boolean;
  readonly isRepeating: boolean;
  /** The code that holds its thread goes on: it waits for nothing. */
  readonly isContinuation: boolean;
}

/**
 * Time that jumps from one event to the next, for several threads. After each event the real event loop turns once, so
 * that microtasks and `Atomics.waitAsync` have run before the time goes on: the same seed gives the same run.
 */
export class VirtualTime implements ThreadTime {
  readonly random: Random;
  #now = 0;
  #planned = 0;
  #repeating = 0;
  #thread = new VirtualThread();
  readonly #events = new Heap<Event>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at));

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  now(): number {
    return this.#now;
  }

  /** Timers of `every` that have not been cancelled. */
  get repeating(): number {
    return this.#repeating;
  }

  /** Runs `run` as code of another thread. */
  inThread<T>(thread: VirtualThread, run: () => T): T {
    const before = this.#thread;
    this.#thread = thread;
    try {
      return run();
    } finally {
      this.#thread = before;
    }
  }

  /** The code of this thread computes for so long. Nothing else runs on the thread until the promise is resolved. */
  hold(ms: number): Promise<void> {
    const thread = this.#thread;
    thread.busyUntil = Math.max(this.#now, thread.busyUntil) + ms;
    thread.activeMs += ms;
    return new Promise((resolve) => this.#plan(thread.busyUntil, resolve, { isContinuation: true }));
  }

  /** Resolves on this thread after so long, without holding it. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#plan(this.#now + ms, resolve));
  }

  /** Runs `run` on this thread, at a time that has not passed yet. */
  at(at: number, run: () => void): Timer {
    return this.#plan(at, run);
  }

  after(ms: number, run: () => void): Timer {
    return this.#plan(this.#now + Math.max(LEAST_MS, ms), run);
  }

  every(ms: number, run: () => void): Timer {
    this.#repeating++;
    const event = this.#plan(this.#now + ms, again, { isRepeating: true });
    const plan = (): void => this.#push(event, event.at + ms);
    return event;

    function again(): void {
      run();
      if (!event.isCancelled) plan();
    }
  }

  soon(run: () => void): Timer {
    return this.#plan(this.#now, run);
  }

  cancel(timer: Timer | undefined): void {
    if (timer === undefined) return;
    const event = timer as Event;
    if (event.isRepeating && !event.isCancelled) this.#repeating--;
    event.isCancelled = true;
  }

  wait(words: Int32Array, index: number, value: number): Promise<unknown> {
    const wait = Atomics.waitAsync(words, index, value);
    if (!wait.async) return Promise.resolve(wait.value);
    const thread = this.#thread;
    return wait.value.then(
      () =>
        new Promise<void>((resolve) =>
          this.inThread(thread, () => this.#plan(this.#now + MESSAGE_MS, resolve)),
        ),
    );
  }

  /** Lets the time pass until `end`, event by event. */
  async advanceTo(end: number): Promise<void> {
    for (let event = this.#events.peek(); event !== undefined && event.at <= end; ) {
      this.#events.pop();
      if (!event.isCancelled) await this.#run(event);
      event = this.#events.peek();
    }
    this.#now = Math.max(this.#now, end);
  }

  async #run(event: Event): Promise<void> {
    const { thread } = event;
    if (thread.busyUntil > event.at && !event.isContinuation) {
      this.#push(event, thread.busyUntil);
      return;
    }
    this.#now = event.at;
    const before = this.#thread;
    this.#thread = thread;
    event.run();
    await turn();
    this.#thread = before;
  }

  #plan(at: number, run: () => void, kind: { isRepeating?: true; isContinuation?: true } = {}): Event {
    const { isRepeating = false, isContinuation = false } = kind;
    const thread = this.#thread;
    const event = { at, order: 0, thread, run, isCancelled: false, isRepeating, isContinuation, ref, unref };
    this.#push(event, at);
    return event;
  }

  #push(event: Event, at: number): void {
    event.at = at;
    event.order = this.#planned++;
    this.#events.push(event);
  }
}

/** Nothing keeps a simulation alive but its own loop. */
function ref(): void {}
function unref(): void {}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Runs `work` with a time of its own as the time of this thread, whose timer wheel serves one simulation after the other:
 * everything that `work` begins must have ended when it resolves.
 */
export async function inVirtualTime<T>(seed: number, work: (time: VirtualTime) => Promise<T>): Promise<T> {
  const virtual = new VirtualTime(seed);
  using _ = useTime(virtual);
  const result = await work(virtual);
  if (time !== virtual) throw new Error('two simulations ran at once');
  if (virtual.repeating > 0) throw new Error('a simulation left calls open');
  return result;
}
