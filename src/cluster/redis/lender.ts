import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { ServeError } from '../../errors.ts';
import { inRootContext } from '../../time/root-context.ts';
import { openRedis, type RedisClient } from './client.ts';
import { lendRedis } from './lent-client.ts';
import type { ReadyClient } from './settings.ts';

/** Lends connections with the settings of a client that the app has made to each life of the fleet thread. */
export class RedisLender {
  readonly #given: ReadyClient;
  readonly #onError: (error: unknown) => void;
  #client: Promise<RedisClient> | undefined = undefined;
  #isClosed = false;

  /** @param onError the client cannot be used; the other thread tries it again */
  constructor(given: ReadyClient, onError: (error: unknown) => void) {
    this.#given = given;
    this.#onError = onError;
  }

  /** @returns the port for `borrowRedis` in the other thread */
  lend(): MessagePort {
    const { port1, port2 } = inRootContext(() => new MessageChannel());
    lendRedis(() => this.#open(), port1);
    return port2;
  }

  close(): void {
    this.#isClosed = true;
    this.#client?.then(
      (client) => client.close(),
      () => {},
    );
  }

  async #open(): Promise<RedisClient> {
    if (this.#isClosed) throw new ServeError('SERVE_UNAVAILABLE', 'the instance is closed');
    const opening = this.#client ?? openRedis({ client: this.#given });
    this.#client = opening;
    try {
      return await opening;
    } catch (error) {
      if (this.#client === opening) this.#client = undefined;
      this.#onError(error);
      throw error;
    }
  }
}
