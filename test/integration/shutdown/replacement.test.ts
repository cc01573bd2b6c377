import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Balancer } from '../../support/http/balancer.ts';
import { RawClient } from '../../support/http/client.ts';
import { quickOrWhole } from '../../support/long-run.ts';
import { steadyLoad } from '../../support/steady-load.ts';
import { eventually } from '../../support/until.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/replaced-server.ts', import.meta.url));

/** `npm run test:shutdown` asks for more. */
const REQUESTS = Number(process.env['INSERVE_SHUTDOWN_REQUESTS'] ?? quickOrWhole(1_500, 4_000));

interface Started extends Disposable {
  readonly child: ChildProcess;
  readonly port: number;
  /** Resolves with exit code and signal. */
  readonly ended: Promise<unknown[]>;
}

async function startServer(...args: string[]): Promise<Started> {
  const child = fork(PROGRAM, args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const ended = once(child, 'exit');
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port, ended, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

/** A request of a client that keeps its connections, never retries, and never sends on a connection that it was told to leave. */
function ask(agent: Agent, port: number, path: string, body: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ agent, host: '127.0.0.1', port, path, method }, (response: IncomingMessage) => {
      response.toArray().then((chunks) => {
        const { statusCode } = response;
        if (statusCode === 200) resolve(Buffer.concat(chunks as Buffer[]).toString());
        else reject(new Error(`${method} ${path}: ${statusCode} ${Buffer.concat(chunks as Buffer[])}`));
      }, reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test(`a process is replaced under the load of clients that keep their connections: 0 of ${REQUESTS} requests fail`, async () => {
  await using balancer = await Balancer.start();
  using first = await startServer('1500', '10000');
  using second = await startServer('1500', '10000');
  await balancer.add(first.port);
  await eventually(() => balancer.isReady(first.port));
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  let asked = 0;
  const outcomes = await steadyLoad(
    32,
    () => {
      asked++;
      const isOwn = asked % 4 === 0;
      return ask(agent, balancer.port, isOwn ? '/own' : '/app/quick', asked % 4 === 1 ? 'body' : undefined);
    },
    async (seen) => {
      await eventually(() => seen.ok > REQUESTS / 4, 120_000);
      await balancer.add(second.port);
      await eventually(() => balancer.isReady(second.port));
      first.child.kill('SIGTERM');
      expect(await first.ended).toEqual([0, null]);
      balancer.remove(first.port);
      await eventually(() => seen.ok >= REQUESTS, 120_000);
    },
  );
  agent.destroy();
  expect(outcomes.errors).toEqual([]);
  expect(outcomes.ok).toBeGreaterThanOrEqual(REQUESTS);
  // Both have served.
  const pids = [first.child.pid, second.child.pid].map((pid) =>
    outcomes.of(JSON.stringify({ process: pid })),
  );
  expect(Math.min(...pids)).toBeGreaterThan(REQUESTS / 20);
}, 300_000);

test('a second signal ends the process at once', async () => {
  using server = await startServer('60000', '60000');
  server.child.kill('SIGTERM');
  await eventually(async () => !(await fetch(`http://127.0.0.1:${server.port}/readyz`)).ok);
  server.child.kill('SIGINT');
  expect(await server.ended).toEqual([null, 'SIGINT']);
});

test('the process ends by itself when the last connection is closed', async () => {
  using server = await startServer('0', '5000');
  using idle = await RawClient.connect(server.port);
  await idle.head('GET /own HTTP/1.1', 'host: localhost').until(/own$/);
  server.child.kill('SIGINT');
  await idle.closed();
  expect(await server.ended).toEqual([0, null]);
});
