import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../src/index.ts';
import type { Victim } from '../fixtures/faulty/victim.ts';
import { share } from '../support/long-run.ts';
import { quietServe } from '../support/quiet.ts';
import { event } from '../support/until.ts';
import { code, count, PAIR, underLoad } from './under-load.ts';

type Handle = DeploymentHandle<typeof Victim>;

/** Rows 1, 2, 4, 5 and 8 of the fault matrix, each under 64 callers; the others are in the folder `long`. */
describe('faults under load', () => {
  const deaths: [string, (handle: Handle) => Promise<unknown>][] = [
    ['1: a replica exits in the middle of a call', (handle) => handle.exit.remote() as Promise<unknown>],
    ['2: a stray throw', (handle) => handle.stray.remote()],
    ['2: a stray rejection', (handle) => handle.rejection.remote()],
  ];

  test.each(share(2, deaths))('%s', async (_name, kill) => {
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

  const blocks: [string, (handle: Handle) => Promise<unknown>][] = [
    ['an endless loop', (handle) => handle.loop.remote() as Promise<unknown>],
    ['a regular expression that explodes', (handle) => handle.regexp.remote()],
    ['Atomics.wait', (handle) => handle.sleep.remote()],
  ];

  test.each(share(1, blocks))(
    '5: %s: its caller gets 504, the thread is ended, the sibling serves on',
    async (_name, block) => {
      await using serve = quietServe();
      const options = { ...PAIR, stuckAfterMs: 200, requestTimeoutMs: 600, gracefulShutdownTimeoutMs: 50 };
      await underLoad(serve, options, async (handle) => {
        const stuck = event(serve, 'replica', ({ state }) => state === 'STUCK');
        const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
        const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
        expect(await code(block(handle))).toBe('SERVE_TIMEOUT');
        await Promise.all([stuck, died, replaced]);
      });
    },
  );

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
