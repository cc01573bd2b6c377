import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Redis as Client } from 'ioredis';
import { freePort } from '../fleet/free-port.ts';

/** A Redis of a bench's own, which keeps nothing on disk. */
export class BenchRedis implements AsyncDisposable {
  readonly port: number;
  #process: ChildProcess;

  private constructor(port: number) {
    this.port = port;
    this.#process = serverAt(port);
  }

  /** Resolves once it answers. */
  static async start(): Promise<BenchRedis> {
    const redis = new BenchRedis(await freePort());
    await redis.#answers();
    return redis;
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
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** Starts it again at the same port, empty. Resolves once it answers. */
  async restart(): Promise<void> {
    this.#process = serverAt(this.port);
    await this.#answers();
  }

  async #answers(): Promise<void> {
    const client = this.client();
    await client.ping();
    client.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function serverAt(port: number): ChildProcess {
  const settings = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ];
  return spawn('redis-server', settings, { stdio: 'ignore' });
}
