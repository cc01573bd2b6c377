import { fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 20_000;

/**
 * Starts a server as a process of its own and asks it, as soon as it listens, for its first answer.
 * @returns milliseconds from the start of the process to the last byte of that answer
 */
export async function firstAnswerMs(program: string): Promise<number> {
  const script = fileURLToPath(new URL(`./programs/${program}.mjs`, import.meta.url));
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const begin = performance.now();
  const server = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    const [port] = (await once(server, 'message', { signal })) as [number];
    const request = get({ port, host: '127.0.0.1', path: '/json', agent: false, signal });
    const [answer] = await once(request, 'response', { signal });
    let text = '';
    for await (const part of answer) text += part;
    if (answer.statusCode !== 200 || text !== '{"ok":true}')
      throw new Error(`${program}: ${answer.statusCode} ${text}`);
    return performance.now() - begin;
  } finally {
    const closed = once(server, 'close');
    server.kill('SIGKILL');
    await closed;
  }
}
