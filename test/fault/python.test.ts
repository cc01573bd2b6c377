import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DyingDeployment } from '../fixtures/python/dying.ts';
import { share } from '../support/long-run.ts';
import { HAS_PYTHON } from '../support/python.ts';
import { quietServe } from '../support/quiet.ts';

/** Whether a process is there; one that has ended and was not reaped does not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Whoever adopts an orphan may take seconds to reap it.
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe.skipIf(!HAS_PYTHON)('Python processes that die (skipped without Python 3.9 or newer)', () => {
  test('SIGKILL from outside fails the calls of that process only, and it is replaced', async () => {
    await using serve = quietServe();
    const handle = await serve.run(DyingDeployment.options({ numReplicas: 2 }).bind());
    const pids = await handle.broadcast('pid');
    const ended: unknown[] = [];
    let made = 0;
    let isDead = false;
    // Calls go on until some of them have failed, however long the death takes to be found out.
    const caller = async (): Promise<void> => {
      while (!isDead)
        await handle.slowly.remote(made++).then(
          (result) => ended.push(result),
          (error: { code: string }) => {
            isDead = true;
            ended.push(error.code);
          },
        );
    };
    const callers = Array.from({ length: 64 }, caller);
    await expect.poll(() => ended.length, { interval: 1 }).toBeGreaterThan(10);
    process.kill(pids[0] as number, 'SIGKILL');
    await Promise.all(callers);
    // Every accepted call has ended once: with its result, or with the death of its replica.
    expect(ended).toHaveLength(made);
    const failed = ended.filter((end) => typeof end === 'string');
    expect(new Set(failed)).toEqual(new Set(['SERVE_REPLICA_DIED']));
    expect(failed.length).toBeLessThanOrEqual(16);
    await expect.poll(async () => (await handle.broadcast('pid')).length).toBe(2);
    expect(isAlive(pids[0] as number)).toBe(false);
  }, 180_000);

  test('the reason of a death has the signal and the last words', async () => {
    await using serve = quietServe();
    const handle = await serve.run(DyingDeployment.bind());
    expect(await handle.write_much.remote()).toBe(4_194_304);
    await expect(handle.kill_self.remote()).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('SIGKILL'),
      cause: { stderr: expect.stringContaining('last words') },
    });
    expect(await handle.echo.remote(1)).toBe(1);
  }, 180_000);

  test('a stream breaks behind the values that were sent', async () => {
    await using serve = quietServe();
    const handle = await serve.run(DyingDeployment.bind());
    const read: number[] = [];
    await expect(async () => {
      for await (const number of handle.die_streaming.remote()) read.push(number);
    }).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }, 180_000);

  test('code that holds the interpreter is killed when its deadline has passed', async () => {
    await using serve = quietServe();
    const deployment = DyingDeployment.options({ stuckAfterMs: 500, stuckTerminateMs: 2_000 });
    const handle = await serve.run(deployment.bind());
    const pid = await handle.pid.remote();
    const held = handle.options({ timeoutMs: 1_000 }).hold_interpreter.remote();
    await expect(held).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(await handle.echo.remote(2)).toBe(2);
  }, 180_000);

  test('code that holds the interpreter is found although calls keep arriving behind it', async () => {
    await using serve = quietServe();
    const options = { stuckAfterMs: 500, requestTimeoutMs: 60_000, maxOngoingRequests: 1_000 };
    const handle = await serve.run(DyingDeployment.options(options).bind());
    const pid = await handle.pid.remote();
    handle.hold_interpreter.remote().catch(() => {});
    const arriving = setInterval(() => handle.echo.remote(1).catch(() => {}), 100);
    try {
      const isFound = () => serve.log.records.some(({ message }) => message.includes('is stuck'));
      await expect.poll(isFound, { timeout: 50_000 }).toBe(true);
    } finally {
      clearInterval(arriving);
    }
    process.kill(pid, 'SIGKILL');
    expect(await handle.options({ timeoutMs: 60_000 }).echo.remote(2)).toBe(2);
  }, 180_000);

  test('code that is blocked without a deadline is killed, and the error says where it stood', async () => {
    await using serve = quietServe();
    const options = { stuckAfterMs: 500, stuckTerminateMs: 1_000, requestTimeoutMs: 0 };
    const handle = await serve.run(DyingDeployment.options(options).bind());
    await expect(handle.hold_interpreter.remote()).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringMatching(/was blocked for \d+ ms at hold_interpreter \(.*dying\.py:\d+\)/),
      cause: { stack: expect.stringContaining('at hold_interpreter') },
    });
    expect(await handle.echo.remote(3)).toBe(3);
  }, 180_000);

  test('a library that crashes leaves a traceback as the last words', async () => {
    await using serve = quietServe();
    const handle = await serve.run(DyingDeployment.bind());
    await expect(handle.crash_in_library.remote()).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('SIGSEGV'),
      cause: { signal: 'SIGSEGV', stderr: expect.stringMatching(/dying\.py", line \d+ in crash_in_library/) },
    });
    expect(await handle.echo.remote(4)).toBe(4);
  }, 180_000);

  test.runIf(process.platform === 'linux')(
    'a call that takes far more than the reserved memory ends with its process, and says so',
    async () => {
      await using serve = quietServe();
      const handle = await serve.run(DyingDeployment.options({ resources: { memoryMb: 200 } }).bind());
      const pid = await handle.pid.remote();
      await expect(handle.hoard.remote(500, 20)).rejects.toMatchObject({
        code: 'SERVE_REPLICA_DIED',
        message: expect.stringMatching(
          /out of memory: its process held \d+ MiB, far more than its resources\.memoryMb \(200\)/,
        ),
        cause: { signal: 'SIGKILL' },
      });
      expect(isAlive(pid)).toBe(false);
      expect(await handle.hoard.remote(20, 0)).toBe(20 * 1_048_576);
    },
    180_000,
  );

  test('the processes that user code started end with it', async () => {
    const serve = quietServe();
    const handle = await serve.run(DyingDeployment.bind());
    const helpers = [await handle.fork.remote(), await handle.start_helper.remote()];
    const pid = await handle.pid.remote();
    expect(helpers.map(isAlive)).toEqual([true, true]);
    await serve.close();
    await expect.poll(() => [pid, ...helpers].map(isAlive)).toEqual([false, false, false]);
  }, 180_000);

  test.each(share(1, ['hold_interpreter', 'spin', 'idle']))(
    'neither they nor the processes that they started outlive a host that is killed while they are in %s',
    async (method) => {
      const host = spawn(process.execPath, ['test/fixtures/python/host.ts', method], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [line] = (await once(host.stdout, 'data')) as [Buffer];
      const pids = JSON.parse(line.toString()) as number[];
      expect(pids.map(isAlive)).toEqual([true, true]);
      host.kill('SIGKILL');
      await expect.poll(() => pids.map(isAlive), { timeout: 50_000 }).toEqual([false, false]);
    },
    180_000,
  );
});
