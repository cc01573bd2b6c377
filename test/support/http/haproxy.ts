import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasProgram } from '../distribution-package.ts';
import { freePort } from '../free-port.ts';
import { eventually } from '../until.ts';

/** Whether this machine has HAProxy, or gets it from the packages of its distribution. */
export const HAS_HAPROXY: boolean = hasProgram('haproxy', '-v', 'haproxy');

const CONFIG = fileURLToPath(new URL('../../../deploy/haproxy.cfg', import.meta.url));
const RESOLVERS = /^resolvers docker\n(?: .*\n)*/m;
const SERVERS = /^ {2}server-template .*$/m;

/** HAProxy as `deploy/haproxy.cfg` configures it, in front of servers of this machine in place of those that Docker's DNS names. */
export class HaProxy implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#process = child;
    this.port = port;
    this.#folder = folder;
  }

  /** Resolves once it answers requests. @param path of a request that the servers answer */
  static async start(ports: readonly number[], path: string): Promise<HaProxy> {
    const folder = await mkdtemp(join(tmpdir(), 'haproxy-'));
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, configOf(await readFile(CONFIG, 'utf8'), port, ports));
    const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    const proxy = new HaProxy(child, port, folder);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`haproxy ended with ${child.exitCode}`);
      return (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.ok === true;
    });
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** @throws if the configuration has not what is replaced */
function configOf(config: string, port: number, ports: readonly number[]): string {
  for (const part of ['bind :8080', RESOLVERS, SERVERS])
    if (config.search(part) === -1) throw new Error(`deploy/haproxy.cfg has no ${part}`);
  const servers = ports.map((at, index) => `  server app${index + 1} 127.0.0.1:${at}`).join('\n');
  return config
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace(RESOLVERS, '')
    .replace(SERVERS, servers);
}
