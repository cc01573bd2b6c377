import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface HandRequest {
  readonly id: number;
  readonly steps: number;
  /** How many tokens are streamed; 0: one answer, which is how many ms it took. */
  readonly tokens: number;
}

export interface HandReply {
  readonly id: number;
  readonly value: number;
  readonly isLast: boolean;
}

const WORKER = new URL('./hand.worker.ts', import.meta.url);
const WARM_UP_CALLS = 50;
const WARM_UP_CALL_MS = 2;

/** A plain worker thread with `postMessage`, the least that computing elsewhere can cost. */
export class HandMadeThread {
  readonly #worker = new Worker(WORKER);
  readonly #open = new Map<number, (reply: HandReply) => void>();
  #lastId = 0;

  static async start(stepsPerMs: number): Promise<HandMadeThread> {
    const thread = new HandMadeThread();
    await once(thread.#worker, 'online');
    thread.#worker.on('message', (reply: HandReply) => {
      const receive = thread.#open.get(reply.id);
      if (reply.isLast) thread.#open.delete(reply.id);
      receive?.(reply);
    });
    for (let call = 0; call < WARM_UP_CALLS; call++) await thread.run(WARM_UP_CALL_MS * stepsPerMs);
    return thread;
  }

  /** Resolves to how many ms it computed. */
  run(steps: number): Promise<number> {
    return new Promise((resolve) => this.#send({ steps, tokens: 0 }, ({ value }) => resolve(value)));
  }

  /** Resolves after the last token. */
  stream(tokens: number, steps: number, received: (yieldedAt: number) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#send({ steps, tokens }, ({ value, isLast }) => {
        received(value);
        if (isLast) resolve();
      });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(request: Omit<HandRequest, 'id'>, receive: (reply: HandReply) => void): void {
    const id = ++this.#lastId;
    this.#open.set(id, receive);
    this.#worker.postMessage({ id, ...request } satisfies HandRequest);
  }
}
