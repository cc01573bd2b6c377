import { constants } from 'node:os';

/** The signals that ask a process to end. */
export class Signals {
  readonly #names: readonly NodeJS.Signals[];
  readonly #first = Promise.withResolvers<NodeJS.Signals>();
  #isAsked = false;

  constructor(names: readonly NodeJS.Signals[]) {
    this.#names = names;
    for (const name of names) process.on(name, this.#onSignal);
  }

  /** Resolves with the first signal. A second one ends the process at once, until `close()`. */
  get first(): Promise<NodeJS.Signals> {
    return this.#first.promise;
  }

  close(): void {
    for (const name of this.#names) process.off(name, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#isAsked) {
      this.close();
      end(signal);
    }
    this.#isAsked = true;
    this.#first.resolve(signal);
  };
}

/** Ends the process as the signal does by default. Process 1 of a container ignores that, so it exits with the usual code. */
function end(signal: NodeJS.Signals): void {
  // `process.exit()` waits for threads, and a thread in native code does not end.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}
