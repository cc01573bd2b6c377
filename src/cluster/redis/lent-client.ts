import type { MessagePort } from 'node:worker_threads';
import { withTimeout } from '../../time/timeout.ts';
import { type Packed, packError, unpack } from '../../values/pack.ts';
import { FleetStoreError, type StoreFailure } from '../fleet-store.ts';
import type { RedisArgument, RedisClient } from './client.ts';
import { COMMAND_TIMEOUT_MS } from './connections.ts';
import { toFailure } from './failures.ts';
import type { Script } from './scripts.ts';

/** From the thread that borrows a client. */
type Request =
  | { readonly type: 'open' }
  | {
      readonly type: 'run';
      readonly id: number;
      readonly script: Script;
      readonly keys: readonly string[];
      readonly args: readonly RedisArgument[];
    }
  | { readonly type: 'subscribe'; readonly channel: string };

/** From the thread that has the client. */
type Answer =
  | { readonly type: 'open'; readonly localAddress: string | undefined }
  | { readonly type: 'refused'; readonly error: Packed }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly value: unknown;
      readonly localAddress: string | undefined;
    }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly failure: StoreFailure;
      readonly message: string;
    }
  | { readonly type: 'message'; readonly channel: string; readonly message: string };

/**
 * Lets another thread use a client, until the port is closed.
 *
 * @param open makes the client, each time that the other thread asks for it until it has it
 */
export function lendRedis(open: () => Promise<RedisClient>, port: MessagePort): void {
  let client: RedisClient | undefined;
  const post = (answer: Answer): void => port.postMessage(answer);
  const subscriptions: Array<() => void> = [];
  const begin = async (): Promise<void> => {
    try {
      client = await open();
      post({ type: 'open', localAddress: client.localAddress });
    } catch (error) {
      post({ type: 'refused', error: packError(error) });
    }
  };
  const run = async (
    from: RedisClient,
    { id, script, keys, args }: Extract<Request, { type: 'run' }>,
  ): Promise<void> => {
    try {
      const value = await from.run(script, keys, args);
      post({ type: 'answer', id, value, localAddress: from.localAddress });
    } catch (error) {
      const { failure, message } = toFailure(error);
      post({ type: 'failed', id, failure, message });
    }
  };
  port.on('message', (request: Request) => {
    if (request.type === 'open') void begin();
    // The other thread has no client to use before it is told that this one is open.
    else if (client === undefined) return;
    else if (request.type === 'run') void run(client, request);
    else {
      const { channel } = request;
      const pass = (message: string): void => post({ type: 'message', channel, message });
      subscriptions.push(client.subscribe(channel, pass));
    }
  });
  port.on('close', () => {
    for (const unsubscribe of subscriptions) unsubscribe();
  });
  port.unref();
}

/**
 * Uses a client that another thread lends. Resolves once that thread has the client. After a failure the same port can be
 * tried again.
 *
 * @param port its other end was given to `lendRedis`
 * @throws the error with which the other thread could not make the client
 */
export async function borrowRedis(port: MessagePort): Promise<RedisClient> {
  const client = new BorrowedClient(port);
  await client.open();
  return client;
}

class BorrowedClient implements RedisClient {
  readonly #port: MessagePort;
  readonly #opened = Promise.withResolvers<void>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listeners = new Set<(channel: string, message: string) => void>();
  #lastCall = 0;
  #localAddress: string | undefined = undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', this.#receive);
    port.unref();
  }

  async open(): Promise<void> {
    this.#post({ type: 'open' });
    try {
      await this.#opened.promise;
    } catch (error) {
      this.#port.off('message', this.#receive);
      throw error;
    }
  }

  get localAddress(): string | undefined {
    return this.#localAddress;
  }

  async run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const id = ++this.#lastCall;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(id, call);
    this.#post({ type: 'run', id, script, keys, args });
    const late = (): FleetStoreError =>
      new FleetStoreError('timeout', `the host's thread did not answer within ${2 * COMMAND_TIMEOUT_MS} ms`);
    try {
      return await withTimeout(call.promise, 2 * COMMAND_TIMEOUT_MS, late, false);
    } finally {
      this.#calls.delete(id);
    }
  }

  subscribe(channel: string, listener: (message: string) => void): () => void {
    const onMessage = (from: string, message: string): void => {
      if (from === channel) listener(message);
    };
    this.#listeners.add(onMessage);
    this.#post({ type: 'subscribe', channel });
    return () => this.#listeners.delete(onMessage);
  }

  close(): void {
    this.#port.close();
  }

  #post(request: Request): void {
    this.#port.postMessage(request);
  }

  readonly #receive = (answer: Answer): void => {
    switch (answer.type) {
      case 'open':
        this.#localAddress = answer.localAddress;
        this.#opened.resolve();
        return;
      case 'refused':
        this.#opened.reject(unpack(answer.error));
        return;
      case 'answer':
        this.#localAddress = answer.localAddress;
        this.#calls.get(answer.id)?.resolve(withBuffers(answer.value));
        return;
      case 'failed':
        this.#calls.get(answer.id)?.reject(new FleetStoreError(answer.failure, answer.message));
        return;
      case 'message':
        for (const listener of this.#listeners) listener(answer.channel, answer.message);
        return;
    }
  };
}

/** Buffers cross a port as plain bytes. */
function withBuffers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBuffers);
  if (!(value instanceof Uint8Array)) return value;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
