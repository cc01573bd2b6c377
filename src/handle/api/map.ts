import { invalidOption, ServeError } from '../../errors.ts';
import { time } from '../../time/clock.ts';
import { isIterable, iteratorOf } from '../../validation/iterator-of.ts';
import type { Route } from '../routing/route.ts';
import { parseMapOptions } from './handle-options.ts';
import type { MapOptions } from './handle-types.ts';
import type { DeploymentResponse } from './response.ts';

/** Pauses after a full queue, in ms: doubled from the first to the last. */
const FIRST_PAUSE_MS = 2;
const LAST_PAUSE_MS = 100;

type Outcome = PromiseSettledResult<unknown>;

/** Runs a remote method over many items; the implementation of `handle.method.map`. */
export function mapItems(
  route: Route,
  items: Iterable<unknown> | AsyncIterable<unknown>,
  options: MapOptions,
  signal: AbortSignal | undefined,
  call: (item: unknown) => DeploymentResponse<unknown>,
): AsyncGenerator<unknown, void> {
  if (!isIterable(items))
    throw invalidOption('map(items)', items, 'an iterable or an async iterable of items');
  const parsed = parseMapOptions(options);
  const signals = [signal, parsed.signal].filter((given) => given !== undefined);
  return new MapRun(route, items, parsed, signals, call).results();
}

class MapRun {
  readonly #route: Route;
  readonly #source: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #options: MapOptions;
  readonly #signals: readonly AbortSignal[];
  readonly #call: (item: unknown) => DeploymentResponse<unknown>;
  /** Calls that run now, to be cancelled when the consumer leaves. */
  readonly #running = new Set<DeploymentResponse<unknown>>();
  /** Outcomes not yet yielded, by position of their item. */
  readonly #done = new Map<number, Outcome>();
  #started = 0;
  #yielded = 0;
  #inFlight = 0;
  #exhausted = false;
  #stopped = false;
  #wake: () => void = () => {};

  constructor(
    route: Route,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
    signals: readonly AbortSignal[],
    call: (item: unknown) => DeploymentResponse<unknown>,
  ) {
    this.#route = route;
    this.#source = iteratorOf(items);
    this.#options = options;
    this.#signals = signals;
    this.#call = call;
  }

  async *results(): AsyncGenerator<unknown, void> {
    const onAbort = (): void => this.#wake();
    for (const signal of this.#signals) signal.addEventListener('abort', onAbort);
    let failure: { readonly error: unknown } | undefined;
    const feeding = this.#feed().catch((error: unknown) => {
      failure = { error };
      this.#wake();
    });
    try {
      for (;;) {
        for (const signal of this.#signals) if (signal.aborted) throw cancelled(signal.reason);
        if (failure !== undefined) throw failure.error;
        const outcome = this.#next();
        if (outcome !== undefined) {
          this.#wake();
          if (this.#options.settle === true) yield outcome;
          else if (outcome.status === 'fulfilled') yield outcome.value;
          else throw outcome.reason;
        } else if (this.#exhausted && this.#yielded === this.#started) {
          return;
        } else {
          await this.#changed();
        }
      }
    } finally {
      this.#stopped = true;
      this.#wake();
      for (const response of this.#running) response.cancel();
      for (const signal of this.#signals) signal.removeEventListener('abort', onAbort);
      if (!this.#exhausted) await this.#source.return?.();
      await feeding;
    }
  }

  /** Starts calls while there is room, one item at a time. */
  async #feed(): Promise<void> {
    while (!this.#stopped) {
      // Outcomes that are not fetched yet count as well: a slow consumer must not pile up results.
      if (this.#inFlight + this.#done.size >= this.#limit()) {
        await this.#changed();
        continue;
      }
      const { done, value } = await this.#source.next();
      if (done === true) break;
      if (!this.#stopped) void this.#run(this.#started++, value);
    }
    this.#exhausted = true;
    this.#wake();
  }

  /** The free places plus the places that this map holds already; at least one, so that a cold deployment starts. */
  #limit(): number {
    return this.#options.concurrency ?? Math.max(1, this.#inFlight + this.#route.free);
  }

  async #run(position: number, item: unknown): Promise<void> {
    this.#inFlight++;
    let outcome: Outcome | undefined;
    for (let pause = FIRST_PAUSE_MS; outcome === undefined; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      const response = this.#call(item);
      this.#running.add(response);
      try {
        outcome = { status: 'fulfilled', value: await response };
      } catch (reason) {
        const isFull = reason instanceof ServeError && reason.code === 'SERVE_BACKPRESSURE';
        if (isFull && !this.#stopped) await new Promise<void>((resolve) => time.after(pause, resolve));
        else outcome = { status: 'rejected', reason };
      } finally {
        this.#running.delete(response);
      }
    }
    this.#inFlight--;
    this.#done.set(position, outcome);
    this.#wake();
  }

  #next(): Outcome | undefined {
    const position = this.#options.ordered === false ? this.#done.keys().next().value : this.#yielded;
    if (position === undefined) return undefined;
    const outcome = this.#done.get(position);
    if (outcome === undefined) return undefined;
    this.#done.delete(position);
    this.#yielded++;
    return outcome;
  }

  /** Resolves at the next change; both the feeder and the consumer may wait. */
  #changed(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#wake;
      this.#wake = () => {
        this.#wake = () => {};
        others();
        resolve();
      };
    });
  }
}

function cancelled(reason: unknown): ServeError {
  return new ServeError('SERVE_CANCELLED', 'map: the signal was aborted', { cause: reason });
}
