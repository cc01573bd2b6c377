import { Redis as Client } from 'ioredis';
import { RedisProcess } from '../../test/support/fleet/redis-process.ts';
import { freePort } from '../../test/support/free-port.ts';

const SETTINGS = ['--bind', '127.0.0.1', '--save', '', '--maxmemory-policy', 'noeviction'];

/** A Redis of a bench's own, which keeps nothing on disk. */
export class BenchRedis implements AsyncDisposable {
  readonly port: number;
  #process: RedisProcess;

  private constructor(port: number, process: RedisProcess) {
    this.port = port;
    this.#process = process;
  }

  /** Resolves once it answers. */
  static async start(): Promise<BenchRedis> {
    const port = await freePort();
    return new BenchRedis(port, await startAt(port));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  client(): Client {
    const client = new Client(this.url, { maxRetriesPerRequest: null });
    client.on('error', () => {});
    return client;
  }

  /** Stops its process where it is: it answers nothing until `thaw`. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** Starts it again at the same port, empty. Resolves once it answers. */
  async restart(): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    this.#process = await startAt(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

function startAt(port: number): Promise<RedisProcess> {
  return RedisProcess.start(() => ['--port', `${port}`, ...SETTINGS], 'Ready to accept connections');
}
