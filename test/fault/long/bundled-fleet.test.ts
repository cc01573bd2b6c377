import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check, copyRecipe, run } from '../../bundlers/run-recipe.ts';
import { Consumer, root } from '../../packaging/consumer.ts';
import { HAS_REDIS, RedisServer } from '../../support/fleet/redis-server.ts';
import { freePort } from '../../support/free-port.ts';
import { eventually } from '../../support/until.ts';

/** Time limit of builds and of processes that start, on a busy machine. */
const START_MS = 120_000;

const directory = mkdtempSync(join(tmpdir(), 'inserve-bundled-fleet-'));
const deployed = join(directory, 'deployed');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The recipe, built with the packed package and with ioredis in the bundle, and moved away from its dependencies. */
beforeAll(() => {
  using consumer = new Consumer();
  const modules = join(directory, 'build', 'node_modules');
  cpSync(join(consumer.directory, 'node_modules', 'inserve'), join(modules, 'inserve'), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), 'esbuild', 'ioredis']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const project = join(directory, 'build', 'project');
  const { scripts } = copyRecipe('esbuild-fleet', project);
  run(scripts.build as string, project);
  for (const path of ['dist', 'package.json'])
    cpSync(join(project, path), join(deployed, path), { recursive: true });
  rmSync(join(directory, 'build'), { recursive: true });
}, START_MS);

/** A server of the bundle, until the test ends. */
async function start(redis: string): Promise<{ readonly port: number } & AsyncDisposable> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), REDIS_URL: redis };
  const child: ChildProcess = spawn(process.execPath, ['dist/server.js'], {
    cwd: deployed,
    env,
    stdio: 'ignore',
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('an app that is bundled as a whole, with its fleet thread', () => {
  test(
    'serves alone while Redis is away',
    async () => {
      await check(
        'node dist/server.js',
        deployed,
        {},
        { REDIS_URL: `redis://127.0.0.1:${await freePort()}` },
      );
    },
    START_MS,
  );

  test.skipIf(!HAS_REDIS)(
    'finds its fleet in Redis',
    async () => {
      await using redis = await RedisServer.start();
      await using one = await start(redis.url);
      await using other = await start(redis.url);
      for (const { port } of [one, other])
        await eventually(async () => {
          const answer = await fetch(`http://127.0.0.1:${port}/instances`).catch(() => undefined);
          return (await answer?.text()) === '2';
        }, START_MS);
      expect((await fetch(`http://127.0.0.1:${one.port}/?q=1`)).status).toBe(200);
    },
    START_MS,
  );
});
