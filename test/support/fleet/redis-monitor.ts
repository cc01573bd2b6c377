import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';

/** The commands that a server was sent, from `MONITOR`. */
export interface RedisMonitor extends AsyncDisposable {
  /** First three words of each command of a client; commands that scripts run are left out. */
  readonly commands: readonly string[];
}

const LINE = /^\+[\d.]+ \[\d+ (?<source>\S+)\] (?<words>.*)$/;
const WORD = /"((?:[^"\\]|\\.)*)"/g;

/**
 * Reads the commands over a connection of its own: ioredis fails if the first of them arrive together with the answer to `MONITOR`.
 *
 * @param redis a connection that may do everything
 */
export async function monitor(redis: Redis): Promise<RedisMonitor> {
  // Its own first commands are over then.
  await redis.ping();
  const { host = '127.0.0.1', port = 6_379, username = 'default', password } = redis.options;
  const requests = password == null ? ['MONITOR'] : [`AUTH ${username} ${password}`, 'MONITOR'];
  const commands: string[] = [];
  const started = Promise.withResolvers<void>();
  const socket = connect({ host, port });
  socket.once('error', started.reject);
  let answers = 0;
  createInterface(socket).on('line', (line) => {
    const { source, words = '' } = LINE.exec(line)?.groups ?? {};
    if (line === '+OK') {
      if (++answers === requests.length) started.resolve();
    } else if (source === undefined) {
      started.reject(new Error(`MONITOR: ${line}`));
    } else if (source !== 'lua') {
      const found = [...words.matchAll(WORD)].slice(0, 3);
      commands.push(found.map(([, word]) => word).join(' '));
    }
  });
  socket.write(requests.map((request) => `${request}\r\n`).join(''));
  await started.promise;
  return {
    commands,
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}
