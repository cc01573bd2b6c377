import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface RunningExample extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:41234`. */
  readonly url: string;
  /** All that it has printed. */
  output(): string;
  /** Ends it at once, however it would have ended. */
  kill(): Promise<void>;
}

const URL_LINE = /http:\/\/127\.0\.0\.1:\d+/;

/**
 * Starts `examples/<name>/server.ts` as a user would, on a free port, and waits until it prints its URL. Disposing it
 * sends SIGTERM, and fails when the example does not come to its end by itself with exit code 0.
 */
export function startExample(name: string, env: Record<string, string> = {}): Promise<RunningExample> {
  return startServer(fileURLToPath(new URL(`../../examples/${name}/server.ts`, import.meta.url)), env);
}

/** The same for any program that prints its URL. */
export async function startServer(server: string, env: Record<string, string> = {}): Promise<RunningExample> {
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, ...env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      output += chunk;
      const found = URL_LINE.exec(output);
      if (found !== null) resolve(found[0]);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    void closed.then(([code]) => reject(new Error(`${server} exited with ${code}:\n${output}`)));
  });
  return {
    url,
    output: () => output,
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 90_000);
      const [code, signal] = await closed;
      clearTimeout(killer);
      if (code !== 0) throw new Error(`${server} ended with ${code ?? signal}:\n${output}`);
    },
  };
}
