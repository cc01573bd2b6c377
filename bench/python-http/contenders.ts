import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';

/** The server of inserve. */
const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
const FRAMEWORKS = fileURLToPath(
  new URL('../../node_modules/.cache/python-frameworks/bin/python', import.meta.url),
);
/** Ray needs half a minute to start, and longer on a busy machine. */
const START_MS = 180_000;
const LOOK_MS = 200;
const OUTPUT_LIMIT = 4_000;

/** The Python that has the packages: of the active environment, else of `npm run test:python`. */
export const PYTHON: string =
  process.env['VIRTUAL_ENV'] === undefined && existsSync(FRAMEWORKS) ? FRAMEWORKS : 'python3';

/** Whether a package of Python is there. */
export function hasPackage(name: string): boolean {
  return spawnSync(PYTHON, ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0;
}

export interface ServerSpec {
  readonly name: string;
  /** The package without which the contender is left out. */
  readonly needs: string;
  command(port: number): [file: string, ...args: string[]];
}

export const SERVERS: readonly ServerSpec[] = [
  {
    name: 'inserve',
    needs: 'sklearn',
    command: (port) => [process.execPath, SERVER, `${port}`, 'plain'],
  },
  {
    name: 'inserve batched',
    needs: 'sklearn',
    command: (port) => [process.execPath, SERVER, `${port}`, 'batched'],
  },
  {
    name: 'FastAPI',
    needs: 'fastapi, uvicorn',
    command: (port) => [
      PYTHON,
      ...['-m', 'uvicorn', 'fastapi_app:app', '--workers', '2', '--port', `${port}`, '--log-level', 'error'],
    ],
  },
  { name: 'Ray Serve', needs: 'ray.serve', command: (port) => [PYTHON, 'ray_app.py', `${port}`] },
];

/** A server in a process group of its own, called over kept-alive connections. */
export class RunningServer {
  readonly #child: ChildProcess;
  readonly #pool: Pool;

  private constructor(child: ChildProcess, pool: Pool) {
    this.#child = child;
    this.#pool = pool;
  }

  /** @throws Error if the server does not answer in time */
  static async start({ name, command }: ServerSpec, connections: number): Promise<RunningServer> {
    const port = await freePort();
    const [file, ...args] = command(port);
    const child = spawn(file, args, {
      cwd: HERE,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PATH: `${dirname(PYTHON)}${delimiter}${process.env['PATH']}`,
        OMP_NUM_THREADS: '1',
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes: Buffer) => {
        output = (output + bytes).slice(-OUTPUT_LIMIT);
      });
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections });
    const server = new RunningServer(child, pool);
    for (const end = performance.now() + START_MS; performance.now() < end && child.exitCode === null; ) {
      if ((await server.predict().catch(() => undefined)) !== undefined) return server;
      await sleep(LOOK_MS);
    }
    await server.stop();
    throw new Error(`${name} did not start:\n${output}`);
  }

  /** Classifies one flower. */
  async predict(): Promise<number> {
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: '/predict',
      headers: { 'content-type': 'application/json' },
      body: '[5.1,3.5,1.4,0.2]',
    });
    const answer = (await body.json()) as { label: number };
    if (statusCode !== 200 || answer.label !== 0) throw new Error(`answered ${statusCode}`);
    return answer.label;
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
    const { pid, exitCode } = this.#child;
    if (pid === undefined || exitCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
