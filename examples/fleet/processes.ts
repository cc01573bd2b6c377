import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { StatusReport } from 'inserve';

const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A Redis of the demonstration's own, on a free port, which keeps nothing on disk. */
export class Redis {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(): Promise<Redis> {
    const port = await freePort();
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
    const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`redis-server is needed, and does not start: ${(error as Error).message}`);
    });
    await Promise.race([untilLine(child, /Ready to accept connections/), failed]);
    failed.catch(() => {});
    return new Redis(child, port);
  }

  /** It answers nobody until `thaw`. */
  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  stop(): void {
    this.thaw();
    this.#process.kill('SIGKILL');
  }
}

/** One app server, a process of its own. */
export class AppInstance {
  readonly name: string;
  readonly url: string;
  isKilled = false;
  /** The last status that it told; undefined before, and once it is gone. */
  status: StatusReport | undefined = undefined;
  readonly #process: ChildProcess;

  private constructor(name: string, child: ChildProcess, url: string) {
    this.name = name;
    this.#process = child;
    this.url = url;
  }

  static async start(name: string, env: Readonly<Record<string, string>>): Promise<AppInstance> {
    const child = spawn(process.execPath, [SERVER], {
      env: { ...process.env, ...env, PORT: '0' },
      // The logs of four instances would hide the table: LOGS=1 shows them.
      stdio: ['ignore', 'pipe', process.env['LOGS'] === '1' ? 'inherit' : 'ignore'],
    });
    const line = await untilLine(child, /http:\/\/\S+/);
    return new AppInstance(name, child, /http:\/\/\S+/.exec(line)?.[0] ?? '');
  }

  /** Whether it leads the fleet, as it says itself. */
  get isLeading(): boolean {
    return this.status !== undefined && this.status.leader === this.status.instance;
  }

  /** The replicas that run in it. */
  get replicas(): number {
    return this.status?.apps['primes']?.deployments['Primes']?.replicaStates['RUNNING'] ?? 0;
  }

  async look(): Promise<void> {
    try {
      const response = await fetch(`${this.url}/status`, { signal: AbortSignal.timeout(1_000) });
      this.status = (await response.json()) as StatusReport;
    } catch {
      if (this.isKilled) this.status = undefined;
    }
  }

  kill(): void {
    this.isKilled = true;
    this.status = undefined;
    this.#process.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.isKilled) return;
    this.#process.kill('SIGTERM');
    const killer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await once(this.#process, 'exit');
    clearTimeout(killer);
  }
}

/** Resolves with the first line of the output that matches. */
async function untilLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (child.stdout === null) throw new TypeError('the process has no output');
  for await (const line of createInterface(child.stdout)) {
    if (!pattern.test(line)) continue;
    child.stdout.resume();
    return line;
  }
  throw new Error(`a process ended with ${child.exitCode} before it was ready`);
}
