import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../free-port.ts';

/** A process of redis-server in a folder of its own, which goes with it. */
export class RedisProcess implements AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#process = child;
    this.port = port;
    this.folder = folder;
  }

  /**
   * @param argsOf the arguments of redis-server, for its port and its folder
   * @param ready what it says once it works
   */
  static async start(
    argsOf: (port: number, folder: string) => readonly string[] | Promise<readonly string[]>,
    ready: string,
  ): Promise<RedisProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    const port = await freePort();
    const args = await argsOf(port, folder);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder });
    for await (const line of createInterface(child.stdout)) if (line.includes(ready)) break;
    child.stdout.resume();
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    return new RedisProcess(child, port, folder);
  }

  /** Stops it where it is, as a machine that hangs. */
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
