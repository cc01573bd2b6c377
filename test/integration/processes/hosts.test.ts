import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { createServe } from '../../../src/index.ts';
import { basic } from '../../fixtures/calls/basic.ts';
import { silent } from '../../support/silent.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

/** A program that hangs is killed after this time, in ms. */
const RUN_MS = 90_000;

/** Runs Node to its end; it is killed if it does not come. */
async function run(...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, lines: output.trim().split('\n') };
}

describe('hosts', { timeout: 2 * RUN_MS }, () => {
  test.each([
    ['closed', ['answer', 'closed']],
    ['idle', ['answer']],
    ['running', ['answer', 'late']],
  ])('a script that uses the library exits by itself (%s)', async (how, lines) => {
    expect(await run(fixture('programs/script.ts'), how)).toEqual({ code: 0, lines });
  });

  test("the host's TypeScript loader works in replicas", async () => {
    expect(await run('--import', import.meta.resolve('tsx'), fixture('programs/tsx/main.ts'))).toEqual({
      code: 0,
      lines: ['32000'],
    });
  });

  test('an app inside a worker thread', async () => {
    const worker = new Worker(fixture('threads/host-thread.ts'));
    const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    expect(message).toEqual({ sum: 4_950, died: 'SERVE_REPLICA_DIED', after: 7 });
    expect(code).toBe(0);
  });

  test('an app under node:cluster: each process is an instance', async () => {
    const primary = fork(fixture('programs/cluster-app.ts'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const [{ port, pids }] = (await once(primary, 'message')) as [{ port: number; pids: number[] }];
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/`);
        return (await response.json()) as { pid: number; count: number; instance: string };
      }),
    );
    const seen = new Map<number, { instances: Set<string>; calls: number }>();
    for (const { pid, instance } of answers) {
      const entry = seen.get(pid) ?? { instances: new Set(), calls: 0 };
      entry.instances.add(instance);
      entry.calls++;
      seen.set(pid, entry);
    }
    expect([...seen.keys()].sort()).toEqual([...pids].sort());
    for (const [pid, { instances, calls }] of seen) {
      expect(instances.size).toBe(1);
      expect(Math.max(...answers.filter((answer) => answer.pid === pid).map(({ count }) => count))).toBe(
        calls,
      );
    }
    const exited = once(primary, 'exit');
    primary.send('stop');
    primary.disconnect();
    expect(await exited).toEqual([0, null]);
  });

  test('two instances in one process are strangers', async () => {
    await using one = createServe({ logger: silent });
    await using two = createServe({ logger: silent });
    const [a, b] = await Promise.all([one.run(basic.bind()), two.run(basic.bind())]);
    await a.remote();
    expect([await a.remote(), await b.remote()]).toEqual([{ count: 2 }, { count: 1 }]);
    expect(one.status().instance).not.toBe(two.status().instance);
    await one.close();
    await expect(a.remote()).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(await b.remote()).toEqual({ count: 2 });
  });

  test('close is idempotent, and nothing runs after it', async () => {
    const serve = createServe({ logger: silent });
    await serve.run(basic.bind());
    const closing = serve.close();
    await Promise.all([closing, serve.close()]);
    expect([serve.health(), serve.ready()]).toEqual([false, false]);
    await expect(serve.run(basic.bind())).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
  });
});
