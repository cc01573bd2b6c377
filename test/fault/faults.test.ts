import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, ServeError } from '../../src/index.ts';
import { slow } from '../fixtures/faulty/faults.ts';
import type { Victim } from '../fixtures/faulty/victim.ts';
import { type Broken, broken } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { event } from '../support/until.ts';
import { count, underLoad } from './under-load.ts';

type Handle = DeploymentHandle<typeof Victim>;

async function code(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'ok',
    (error: ServeError) => error.code,
  );
}

/** Two replicas: what happens to one must not reach the other. */
const PAIR = { numReplicas: 2, maxOngoingRequests: 32 };

/** Rows 1–8 of the fault matrix, each under 64 callers. */
describe('faults under load', () => {
  test.each<[string, (handle: Handle) => Promise<unknown>]>([
    ['1: a replica exits in the middle of a call', (handle) => handle.exit.remote() as Promise<unknown>],
    ['2: a stray throw', (handle) => handle.stray.remote()],
    ['2: a stray rejection', (handle) => handle.rejection.remote()],
  ])('%s', async (_name, kill) => {
    await using serve = quietServe();
    const history = await underLoad(serve, PAIR, async (handle) => {
      const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      await kill(handle).catch(() => {});
      await died;
      await replaced;
    });
    // A call whose result had yet to leave is lost as well, and its place may have been taken: the number may pass the limit.
    expect(history.threadsOf('SERVE_REPLICA_DIED').size).toBeLessThanOrEqual(1);
    expect(count(history, 'ok')).toBeGreaterThan(0);
    expect(
      serve.log.records.filter(({ message }) => message.startsWith('Victim: replica died')),
    ).toHaveLength(1);
  });

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

  test('4: a replica fills memory with buffers, which no heap limit stops: the watchdog ends the right one', async () => {
    const limit = Math.round(process.memoryUsage.rss() / 1_048_576) + 400;
    await using serve = quietServe({ resources: { memoryMb: limit } });
    await underLoad(serve, PAIR, async (handle) => {
      const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      await handle.fillBuffers.remote();
      expect((await died).error).toMatchObject({
        code: 'SERVE_REPLICA_DIED',
        message: expect.stringMatching(/the process uses \d+ of \d+ MiB, and this replica holds the most/),
      });
      await replaced;
    });
  });

  test.each<[string, (handle: Handle) => Promise<unknown>]>([
    ['an endless loop', (handle) => handle.loop.remote() as Promise<unknown>],
    ['a regular expression that explodes', (handle) => handle.regexp.remote()],
    ['Atomics.wait', (handle) => handle.sleep.remote()],
  ])('5: %s: its caller gets 504, the thread is ended, the sibling serves on', async (_name, block) => {
    await using serve = quietServe();
    const options = { ...PAIR, stuckAfterMs: 200, requestTimeoutMs: 600, gracefulShutdownTimeoutMs: 50 };
    await underLoad(serve, options, async (handle) => {
      const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
      const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      expect(await code(block(handle))).toBe('SERVE_TIMEOUT');
      await Promise.all([stuck, died, replaced]);
    });
  });

  test('6: a thread blocked in native code cannot be ended: it is replaced, and after two of them help is asked for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'inserve-'));
    const pipes = ['a', 'b'].map((name) => join(directory, name));
    execFileSync('mkfifo', pipes);
    try {
      await using serve = quietServe();
      // Without a deadline: it is the cap that ends the replica.
      const options = { ...PAIR, stuckAfterMs: 100, stuckTerminateMs: 200, requestTimeoutMs: 0 };
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

  test('8: a result that cannot cross, or is too large for memory, fails its own call', async () => {
    await using serve = quietServe();
    const history = await underLoad(serve, PAIR, async (handle) => {
      expect(await code(handle.uncloneable.remote())).toBe('SERVE_NOT_SERIALIZABLE');
      const large = await handle.huge.remote(64_000_000);
      expect(large.byteLength).toBe(64_000_000);
      // More than an ArrayBuffer can hold.
      expect(await code(handle.huge.remote(2 ** 53))).toBeUndefined();
    });
    expect(count(history, 'ok')).toBe(history.outcomes.size);
  });
});
