import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { slow } from '../../fixtures/faulty/faults.ts';
import { type Broken, broken } from '../../fixtures/updates/lifecycle.ts';
import { quietServe } from '../../support/quiet.ts';
import { event } from '../../support/until.ts';
import { code, PAIR, underLoad } from '../under-load.ts';

/** Rows 3, 6 and 7 of the fault matrix, each under 64 callers. */
describe('faults under load', () => {
  test('3: a replica runs out of heap', async () => {
    await using serve = quietServe();
    const options = { ...PAIR, resourceLimits: { maxOldGenerationSizeMb: 48 } };
    await underLoad(serve, options, async (handle) => {
      const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      await handle.fillHeap.remote();
      expect((await died).error).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
      await replaced;
    });
  });

  test('6: a thread blocked in native code cannot be ended: it is replaced, and after two of them help is asked for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'inserve-'));
    const pipes = ['a', 'b'].map((name) => join(directory, name));
    execFileSync('mkfifo', pipes);
    try {
      await using serve = quietServe();
      // Without a deadline: it is the cap that ends the replica.
      const options = { ...PAIR, stuckAfterMs: 500, stuckTerminateMs: 1_000, requestTimeoutMs: 0 };
      const degraded = event(serve, 'fault', ({ reason }) => reason === 'degraded');
      await underLoad(serve, options, async (handle) => {
        const first = event(serve, 'replica', ({ state }) => state === 'STOPPED');
        const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
        expect(await code(handle.readPipe.remote(pipes[0] as string))).toBe('SERVE_REPLICA_DIED');
        await Promise.all([first, replaced]);
        expect(serve.health()).toBe(true);
        expect(await code(handle.readPipe.remote(pipes[1] as string))).toBe('SERVE_REPLICA_DIED');
        await degraded;
        expect(serve.health()).toBe(false);
      });
      expect(serve.status().apps['Victim']?.deployments['Victim']).toMatchObject({
        status: 'UNHEALTHY',
        message: expect.stringContaining('restart the process'),
      });
    } finally {
      for (const pipe of pipes) writeFileSync(pipe, 'released');
      rmSync(directory, { recursive: true });
    }
  });

  test('7: constructors that throw or hang are given up, and another deployment serves on', async () => {
    await using serve = quietServe();
    await underLoad(serve, PAIR, async () => {
      const options = { routePrefix: null };
      const outcomes = await Promise.all([
        code(serve.run(broken.bind(), options)),
        code(serve.run(slow.options({ startTimeoutMs: 200, maxConstructorRetryCount: 2 }).bind(), options)),
      ]);
      expect(outcomes).toEqual(['SERVE_DEPLOY_FAILED', 'SERVE_DEPLOY_FAILED']);
      expect(await code(serve.handle<typeof Broken>('Broken').remote())).toBe('SERVE_DEPLOY_FAILED');
    });
    expect(serve.status().apps['Slow']?.deployments['Slow']?.message).toContain(
      'did not start within 200 ms',
    );
  });
});
