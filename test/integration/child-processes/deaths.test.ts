import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { DeploymentHandle, DeploymentOptions, Serve, ServeError } from '../../../src/index.ts';
import { basic } from '../../fixtures/calls/basic.ts';
import { careful, type Fragile, fragile } from '../../fixtures/faulty/fragile.ts';
import { share } from '../../support/long-run.ts';
import { quietServe } from '../../support/quiet.ts';
import { event, eventually } from '../../support/until.ts';

// The last words of processes, which the library passes on.
vi.spyOn(process.stderr, 'write').mockImplementation(() => true);

type Handle = DeploymentHandle<typeof Fragile>;

function run(serve: Serve, options: DeploymentOptions = {}): Promise<Handle> {
  return serve.run(fragile.options({ gracefulShutdownTimeoutMs: 100, ...options }).bind());
}

async function failure(call: Promise<unknown>): Promise<ServeError> {
  return await call.then(
    () => {
      throw new Error('the call should have failed');
    },
    (error: ServeError) => error,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a process that dies', () => {
  const ways: [string, (handle: Handle, pid: number) => Promise<unknown>, RegExp][] = [
    ['exits', (handle) => handle.exit.remote(3), /its process exited with code 3/],
    [
      'is killed',
      async (handle, pid) => {
        const call = handle.hang.remote();
        // Sent after it over the same channel, so that it has begun; else it would go to the next replica.
        await handle.remote();
        process.kill(pid, 'SIGKILL');
        await call;
      },
      /its process was (?:ended by SIGKILL \(out of memory\?\)|killed by the system)/,
    ],
    ['crashes', (handle) => handle.segfault.remote(), /its process was ended by SIGSEGV/],
    ['aborts', (handle) => handle.abort.remote(), /its process was ended by SIGABRT/],
    ['throws outside a call', (handle) => handle.stray.remote(), /its process exited with code 1/],
  ];

  test.each(share(3, ways))(
    '%s: its own calls fail with the reason, and nothing else',
    async (_how, kill, message) => {
      await using serve = quietServe();
      const handle = await run(serve);
      const other = await serve.run(basic.bind(), { name: 'other', routePrefix: null });
      const pid = await handle.remote();
      const bystander = other.echoLater.remote('unharmed', 300);
      const hanging = Array.from({ length: 5 }, () => failure(handle.hang.remote()));
      // Sent after the others over the same channel, so that they have begun before it.
      await handle.remote();
      const errors = await Promise.all([failure(kill(handle, pid)), ...hanging]);
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'SERVE_REPLICA_DIED', statusCode: 500, retryable: false });
        expect(error.message).toMatch(message);
      }
      expect(await bystander).toBe('unharmed');
      const next = await handle.remote();
      expect(next).not.toBe(pid);
      expect(isAlive(pid)).toBe(false);
      expect(serve.status().apps['Fragile']?.deployments['Fragile']).toMatchObject({
        restarts: 1,
        queued: 0,
      });
    },
  );

  test('tells the exit code, and the end of its standard error', async () => {
    await using serve = quietServe();
    const handle = await run(serve);
    const { cause } = await failure(handle.stray.remote());
    expect(cause).toMatchObject({
      exitCode: 1,
      signal: null,
      stderr: expect.stringMatching(/RangeError: stray/),
    });
    expect((cause as Error).cause).toMatchObject({ name: 'RangeError', message: 'stray' });
  });

  test('gives the chunks of its stream that were sent before, and then the error', async () => {
    await using serve = quietServe();
    const handle = await run(serve);
    const taken: number[] = [];
    const reading = (async () => {
      for await (const chunk of handle.chunks.remote()) taken.push(chunk);
    })();
    expect(await failure(reading)).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(taken).toEqual([0, 1, 2].slice(0, taken.length));
  });

  test('fails calls of replicas as well', async () => {
    await using serve = quietServe();
    const handle = await serve.run(careful.bind(fragile.bind()));
    expect(await handle.remote()).toBe('SERVE_REPLICA_DIED');
  });

  test('takes its descendants along', async () => {
    await using serve = quietServe();
    const handle = await run(serve);
    const descendant = await handle.descendant.remote();
    expect(isAlive(descendant)).toBe(true);
    await failure(handle.abort.remote());
    await eventually(() => !isAlive(descendant));
  });
});

describe('a process that never lets go', () => {
  const holds: [string, (handle: Handle) => Promise<unknown>][] = [
    ['of native code', (handle) => handle.block.remote()],
    ['of JavaScript', (handle) => handle.spin.remote()],
  ];

  test.each(share(1, holds))('%s is killed when the deadline of its call has passed', async (_of, hold) => {
    await using serve = quietServe();
    const handle = await run(serve, { stuckAfterMs: 300 });
    const pid = await handle.remote();
    const died = event(serve, 'replica', ({ state }) => state === 'STOPPED');
    expect((await failure(hold(handle.options({ timeoutMs: 2_500 })))).code).toMatch(
      /SERVE_TIMEOUT|SERVE_REPLICA_DIED/,
    );
    await died;
    await eventually(() => !isAlive(pid));
    expect(await handle.remote()).not.toBe(pid);
  });

  test('is gone when its app is deleted', async () => {
    await using serve = quietServe();
    const handle = await run(serve);
    const pid = await handle.remote();
    const call = failure(handle.spin.remote());
    await serve.delete('Fragile');
    expect((await call).code).toBe('SERVE_REPLICA_DIED');
    await eventually(() => !isAlive(pid));
  });
});

describe('a process that grows', () => {
  test('beyond its heap ends with the reason', async () => {
    await using serve = quietServe();
    const handle = await run(serve, { resources: { memoryMb: 64 } });
    const error = await failure(handle.fillHeap.remote());
    expect(error).toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('its heap was full (resources.memoryMb'),
    });
    expect(await handle.remote()).toBeGreaterThan(0);
  });

  test.runIf(process.platform === 'linux')('off its heap is ended, and replaced', async () => {
    await using serve = quietServe();
    const handle = await run(serve, { resources: { memoryMb: 250 } });
    const pid = await handle.remote();
    const error = await failure(handle.bomb.remote());
    expect(error.code).toBe('SERVE_REPLICA_DIED');
    expect(await handle.remote()).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
  });
});

describe.runIf(process.platform !== 'win32')('a host that is killed', () => {
  test.each(share(1, ['spin', 'hang', 'block']))(
    'leaves no process behind that does %s',
    async (what) => {
      const program = fileURLToPath(new URL('../../fixtures/programs/process-host.ts', import.meta.url));
      const host = spawn(process.execPath, [program, what], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(host.stdout, 'data')) as [Buffer];
      const { pid, descendant } = JSON.parse(String(line)) as { pid: number; descendant: number };
      expect([isAlive(pid), isAlive(descendant)]).toEqual([true, true]);
      host.kill('SIGKILL');
      await once(host, 'exit');
      await eventually(() => !isAlive(pid) && !isAlive(descendant));
    },
    180_000,
  );
});

test('no secret of this package is in its environment', async () => {
  process.env['INSERVE_FLEET_SECRET'] = 'x'.repeat(32);
  try {
    await using serve = quietServe();
    const handle = await run(serve, { env: { OWN: 'yes' } });
    const environment = await handle.environment.remote();
    expect(environment).toMatchObject({ OWN: 'yes', PATH: process.env['PATH'] });
    expect(Object.keys(environment).filter((name) => /^INSERVE_(?:.*SECRET|CHILD)/.test(name))).toEqual([]);
  } finally {
    delete process.env['INSERVE_FLEET_SECRET'];
  }
});
