import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { inRootContext } from '../../time/root-context.ts';
import { openRedis, type RedisClient } from './client.ts';
import { lendRedis } from './lent-client.ts';
import type { ReadyClient } from './settings.ts';

/** Lends connections with the settings of a client that the app has made to each life of the fleet thread. */
export class RedisLender {
  readonly #given: ReadyClient;
  readonly #onError: (error: unknown) => void;
  #client: Promise<RedisClient> | undefined = undefined;

  /** @param onError the client cannot be used */
  constructor(given: ReadyClient, onError: (error: unknown) => void) {
    this.#given = given;
    this.#onError = onError;
  }

  /** @returns the port for `borrowRedis` in the other thread */
  lend(): MessagePort {
    const { port1, port2 } = inRootContext(() => new MessageChannel());
    void this.#serve(port1);
    return port2;
  }

  close(): void {
    this.#client?.then(
      (client) => client.close(),
      () => {},
    );
  }

  async #serve(port: MessagePort): Promise<void> {
    try {
      this.#client ??= openRedis({ client: this.#given });
      lendRedis(await this.#client, port);
    } catch (error) {
      this.#onError(error);
    }
  }
}
