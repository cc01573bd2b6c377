import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const APT = ['-o', 'DPkg::Lock::Timeout=120', '-qq'];

/** Whether this machine has Redis, or gets it from the packages of its distribution. Tests that need it are skipped elsewhere. */
export const HAS_REDIS: boolean = isThere() || isInstalled();

function isThere(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

/** Installs Redis where that needs no password: as root of a distribution of Debian's kind, such as in a container of a CI. */
function isInstalled(): boolean {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', [...APT, ...args], { env, timeout: 120_000 }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', 'redis-server'];
  return (apt(...install) || (apt('update') && apt(...install))) && isThere();
}

/** A Redis of its own on a free port, without persistence. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#process = child;
    this.#folder = folder;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** @param settings of redis-server, such as `--maxmemory 2mb` */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    const port = await freePort();
    const fixed = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ];
    const child = spawn('redis-server', [...fixed, ...settings], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(child.stdout))
      if (line.includes('Ready to accept connections')) break;
    child.stdout.resume();
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    return new RedisServer(child, port, folder);
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
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
