import { MessagePort } from 'node:worker_threads';

/** Values and the numbers of their calls, in turn. */
type Batch = unknown[];

/** Collects what is sent within one turn of the event loop, as the library's own channels do. */
class Outbox {
  readonly #port: MessagePort;
  #batch: Batch = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  push(number: number, value: unknown): void {
    if (this.#batch.length === 0) {
      setImmediate(() => {
        const batch = this.#batch;
        this.#batch = [];
        this.#port.postMessage(batch);
      });
    }
    this.#batch.push(number, value);
  }
}

/**
 * Calls through the host's thread, at the least cost: no errors, deadlines, limits or guards. What a replica would have to do
 * if it could not reach another one directly.
 */
export class Relay {
  readonly #outbox: Outbox;
  readonly #open = new Map<number, (value: unknown) => void>();
  #count = 0;

  constructor(port: MessagePort) {
    this.#outbox = new Outbox(port);
    port.on('message', (batch: Batch) => {
      for (let at = 0; at < batch.length; at += 2) {
        const number = batch[at] as number;
        this.#open.get(number)?.(batch[at + 1]);
        this.#open.delete(number);
      }
    });
  }

  call(value: unknown): Promise<unknown> {
    return new Promise((resolve) => {
      const number = ++this.#count;
      this.#open.set(number, resolve);
      this.#outbox.push(number, value);
    });
  }
}

/** The host's end: passes calls of replicas on. */
export function serveRelays(call: (value: unknown) => Promise<unknown>): void {
  process.on('workerMessage', ({ relay }: { relay: unknown }) => {
    if (!(relay instanceof MessagePort)) throw new TypeError('a relay is a MessagePort');
    const outbox = new Outbox(relay);
    relay.on('message', (batch: Batch) => {
      for (let at = 0; at < batch.length; at += 2) {
        const number = batch[at] as number;
        call(batch[at + 1]).then((value) => outbox.push(number, value));
      }
    });
    relay.unref();
  });
}
