import { Redis } from 'ioredis';
import { freePort } from '../free-port.ts';
import { RedisProcess } from './redis-process.ts';
import { ADMIN, MEMBER, serverArguments } from './redis-server.ts';

const READY = 'Ready to accept connections';

/** A Redis that ends and starts again at the same port: empty, or with what it had saved. */
export class RestartingRedis implements AsyncDisposable {
  readonly port: number;
  /** As a member of any fleet. */
  readonly url: string;
  #process: RedisProcess;
  /** Folder of the last save. */
  #saved: RedisProcess | undefined = undefined;

  private constructor(port: number, process: RedisProcess) {
    this.port = port;
    this.url = `redis://${MEMBER.username}:${MEMBER.password}@127.0.0.1:${port}`;
    this.#process = process;
  }

  static async start(): Promise<RestartingRedis> {
    const port = await freePort();
    return new RestartingRedis(port, await startAt(port));
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    await this.#process.stop();
  }

  async restartEmpty(): Promise<void> {
    await this.kill();
    const before = this.#process;
    this.#process = await startAt(this.port);
    if (before !== this.#saved) await before[Symbol.asyncDispose]();
  }

  /** Remembers the contents for a later restart. */
  async save(): Promise<void> {
    await this.run((client) => client.save());
    this.#saved = this.#process;
  }

  /** Comes back with what it had saved: the writes since then are lost, as by a failover. */
  async restartFromSave(): Promise<void> {
    await this.kill();
    this.#process = await startAt(this.port, this.#saved?.folder);
  }

  /** Works as a user that may do everything. */
  async run<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({ ...ADMIN, port: this.port, host: '127.0.0.1', maxRetriesPerRequest: 1 });
    client.on('error', () => {});
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#saved?.[Symbol.asyncDispose]();
  }
}

/** @param saved folder of a save to begin with */
function startAt(port: number, saved?: string): Promise<RedisProcess> {
  return RedisProcess.start(
    (_port, own) => [...serverArguments(port, saved ?? own), '--enable-debug-command', 'local'],
    READY,
  );
}
