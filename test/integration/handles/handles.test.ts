import { describe, expect, test } from 'vitest';
import { ServeError } from '../../../src/index.ts';
import { basic } from '../../fixtures/calls/basic.ts';
import { front, probe } from '../../fixtures/calls/fleet.ts';
import { buffers, directory, double, letters, methods } from '../../fixtures/calls/values.ts';
import { registerLate, there } from '../../fixtures/programs/hidden.ts';
import { oneFile } from '../../fixtures/programs/main-in-worker.ts';
import { CELL, lifecycle } from '../../fixtures/updates/lifecycle.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually } from '../../support/until.ts';

describe('methods', () => {
  test('remote are public methods up to built-in classes, and own function fields', async () => {
    await using serve = quietServe();
    const handle = await serve.run(methods.bind());
    expect(await handle.own.remote()).toBe('own field');
    expect(await handle.remote()).toBe('called');
    const untyped = handle as unknown as Record<string, { remote(): Promise<unknown> }>;
    for (const name of [
      '_private',
      'accessor',
      'field',
      'checkHealth',
      'emit',
      'on',
      'constructor_',
      '__proto__x',
    ]) {
      await expect(untyped[name]?.remote()).rejects.toMatchObject({
        code: 'SERVE_UNKNOWN_METHOD',
        message: `Methods: there is no method '${name}'; available methods: call, names, own`,
      });
    }
  });

  test('functions are deployments of one method', async () => {
    await using serve = quietServe();
    const handle = await serve.run(double.bind(), { routePrefix: null });
    expect(await handle.remote(21)).toBe(42);
    const stream = await serve.run(letters.bind(), { routePrefix: null });
    expect(await Array.fromAsync(stream.remote('abc'))).toEqual(['a', 'b', 'c']);
  });
});

describe('values', () => {
  test('a transferred buffer is moved, both ways', async () => {
    await using serve = quietServe();
    const handle = await serve.run(buffers.bind());
    const { transfer } = await import('../../../src/index.ts');
    const bytes = new Uint8Array(1 << 20);
    const back = await handle.back.remote(transfer(bytes, [bytes.buffer]));
    expect(bytes.byteLength).toBe(0);
    expect([back.byteLength, back[0]]).toEqual([1 << 20, 42]);
    // The same buffer twice: the second call fails, and only that one.
    const again = new Uint8Array(8);
    const first = handle.size.remote(transfer(again, [again.buffer]));
    const second = handle.size.remote(again);
    expect(await first).toBe(8);
    await expect(second).rejects.toMatchObject({ code: 'SERVE_NOT_SERIALIZABLE' });
    expect(await handle.size.remote(new Uint8Array(3))).toBe(3);
  });

  test('shared memory is shared', async () => {
    await using serve = quietServe();
    const handle = await serve.run(buffers.bind());
    const shared = new SharedArrayBuffer(16);
    await handle.write.remote(shared);
    expect(new Uint8Array(shared)[0]).toBe(7);
  });

  test('arguments and results are what they were at the time of the call', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    const argument = { n: 0 };
    const calls = Array.from({ length: 5 }, (_, n) => {
      argument.n = n;
      return handle.echo.remote(argument);
    });
    expect(await Promise.all(calls)).toEqual([0, 1, 2, 3, 4].map((n) => ({ n })));
    const state = await serve.run(buffers.bind(), { routePrefix: null });
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.bump.remote()));
    expect(answers.map(({ counter }) => counter)).toEqual([1, 2, 3, 4, 5]);
  });

  test('an argument that cannot cross fails its own call, with its path', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    const [bad, good] = await Promise.all([
      handle.echo.remote({ a: [1, { b: () => 1 }] } as never).catch((error: unknown) => error),
      handle.echo.remote(1),
    ]);
    expect(bad).toBeInstanceOf(ServeError);
    expect(bad).toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: 'echo(arg 0).a[1].b cannot cross a thread: it is a function (b)',
    });
    expect(good).toBe(1);
  });

  test('handles are values, in arguments and in results', async () => {
    await using serve = quietServe();
    const handle = await serve.run(directory.bind(buffers.bind()));
    const child = await handle.child.remote();
    expect(await child.size.remote(new Uint8Array(4))).toBe(4);
    expect(await handle.use.remote(child)).toBe(5);
  });

  test('a replica gets handles by name, and nothing of the host', async () => {
    await using serve = quietServe();
    const handle = await serve.run(directory.bind(buffers.bind()));
    await serve.run(methods.bind(), { name: 'other', routePrefix: null });
    expect(await handle.useByName.remote('other')).toBe('called');
    expect(await handle.useDeployment.remote('Directory', 'Buffers')).toBe(9);
    await expect(handle.useByName.remote('nobody')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
    await expect(handle.hostOnly.remote()).rejects.toMatchObject({ code: 'SERVE_MAIN_IN_WORKER' });
  });

  test('a Request is allowed as a whole argument', async () => {
    await using serve = quietServe();
    const handle = await serve.run(directory.bind(buffers.bind()));
    const request = new Request('http://a.example/b?c', {
      method: 'POST',
      headers: { 'x-a': '1' },
      body: 'text',
    });
    expect(await handle.readRequest.remote(request)).toEqual({
      method: 'POST',
      url: 'http://a.example/b?c',
      type: '1',
      body: 'text',
    });
  });
});

describe('broadcasts', () => {
  test.each([
    ['thread', 'thread', 2],
    ['process', 'thread', 2],
    ['thread', 'inline', 1],
    ['process', 'inline', 1],
  ] as const)(
    'the first call of a replica (%s) to a deployment (%s) reaches every replica of it',
    async (from, to, numReplicas) => {
      await using serve = quietServe();
      const called = await serve.run(probe.options({ isolation: to, numReplicas }).bind(), { name: 'probe' });
      await eventually(async () => (await called.broadcast('where')).length === numReplicas);
      const caller = await serve.run(front.options({ isolation: from }).bind(), { name: 'front' });
      expect(await caller.visitAll.remote()).toHaveLength(numReplicas);
    },
  );
});

describe('streams', () => {
  test('a large stream arrives whole and in order, through the window', async () => {
    await using serve = quietServe();
    const handle = await serve.run(buffers.bind());
    let at = 0;
    for await (const chunk of handle.many.remote(300, 10_000)) {
      expect(chunk.byteLength).toBe(10_000);
      expect(chunk[9_999]).toBe(at++ % 256);
    }
    expect(at).toBe(300);
    // Chunks larger than the whole window.
    expect(
      (await Array.fromAsync(handle.many.remote(5, 1_000_000))).map(({ byteLength }) => byteLength),
    ).toEqual(new Array(5).fill(1_000_000));
  });

  test('leaving a stream early ends it in the replica', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    for await (const item of handle.countLater.remote(1_000, 1)) if (item === 2) break;
    await eventually(() => serve.status().apps['Basic']?.deployments['Basic']?.replicas[0]?.ongoing === 0);
  });

  test('a stream that nothing comes from is cut', async () => {
    await using serve = quietServe();
    const handle = await serve.run(
      basic.options({ streamIdleTimeoutMs: 60, requestTimeoutMs: 5_000 }).bind(),
    );
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const item of handle.countUnevenly.remote()) seen.push(item);
    };
    await expect(read()).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect(seen).toEqual([0, 1]);
  });
});

describe('finding the code', () => {
  test('a module that registers nothing of the name', async () => {
    await using serve = quietServe();
    await expect(serve.run(registerLate().bind())).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      cause: expect.objectContaining({
        code: 'SERVE_MODULE_MISMATCH',
        message: expect.stringMatching(
          /hidden\.ts registered no deployment 'Late'.*its deployments are There/,
        ),
      }),
    });
    expect(await (await serve.run(there.bind(), { routePrefix: null })).remote()).toBeUndefined();
  });

  test.each(['listen', 'serve'])('a module that starts its server in the replica (%s)', async (what) => {
    await using serve = quietServe();
    const app = oneFile;
    const { deployment } = await import('../../../src/index.ts');
    expect(deployment).toBeTypeOf('function');
    process.env['ONE_FILE'] = what;
    try {
      await expect(serve.run(app)).rejects.toMatchObject({
        code: 'SERVE_DEPLOY_FAILED',
        cause: expect.objectContaining({
          code: 'SERVE_MAIN_IN_WORKER',
          message: expect.stringContaining('import.meta.main'),
        }),
      });
    } finally {
      delete process.env['ONE_FILE'];
    }
  });
});

describe('responses', () => {
  test('one that fails unobserved raises nothing, but is logged, counted and told', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    const fault = event(serve, 'fault');
    void handle.fail.remote('nobody looks');
    expect(await fault).toMatchObject({
      deployment: 'Basic',
      method: 'fail',
      reason: 'unobserved failure',
      error: new TypeError('nobody looks'),
    });
    expect(serve.log.records.at(-1)).toMatchObject({ level: 'error', fields: { method: 'fail' } });
    expect(await serve.metrics()).toContain(
      'serve_unobserved_failures_total{app="Basic",deployment="Basic"} 1',
    );
  });

  test('one that is observed in time is not told of', async () => {
    await using serve = quietServe();
    const faults: unknown[] = [];
    serve.on('fault', (fault) => faults.push(fault));
    const handle = await serve.run(basic.bind());
    await expect(handle.fail.remote('seen')).rejects.toThrow('seen');
    await handle.fail.remote('then').then(undefined, () => {});
    await Promise.allSettled([handle.fail.remote('all')]);
    await handle.echo.remote(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(faults).toEqual([]);
  });

  test('explain tells where the time went', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(
      lifecycle.options({ maxOngoingRequests: 1 }).bind({ shared: shared.buffer }),
    );
    const first = handle.hold.remote();
    const second = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    expect(first.explain()).toMatchObject({
      state: 'running',
      attempts: 1,
      method: 'hold',
      deployment: 'Lifecycle',
    });
    expect(second.explain()).toMatchObject({ state: 'queued', attempts: 0, replica: undefined });
    shared.set(CELL.gate, 1);
    await second;
    const told = second.explain();
    expect(told).toMatchObject({
      state: 'ok',
      attempts: 1,
      instance: serve.status().instance,
      hedged: false,
    });
    expect(told.queuedMs).toBeGreaterThan(0);
    expect(told.replica).toBe(first.explain().replica);
  });
});

describe('map', () => {
  test('keeps the order, and never exceeds the given concurrency', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(CELL.gate, 1);
    const handle = await serve.run(
      lifecycle.options({ maxQueuedRequests: 0 }).bind({ shared: shared.buffer, label: 'x' }),
    );
    const results = await Array.fromAsync(
      handle.hold.map(new Array(100).keys() as never, { concurrency: 3 }),
    );
    expect(results).toEqual(new Array(100).fill('x'));
    expect(shared.get(CELL.peak)).toBeLessThanOrEqual(3);
    const echo = await serve.run(basic.options({ maxOngoingRequests: 4, maxQueuedRequests: 1 }).bind(), {
      routePrefix: null,
    });
    const inputs = Array.from({ length: 200 }, (_, n) => n);
    expect(await Array.fromAsync(echo.echo.map(inputs))).toEqual(inputs);
    // More than the queue takes: it waits instead of failing.
    expect(await Array.fromAsync(echo.echo.map(inputs, { concurrency: 50 }))).toEqual(inputs);
    const unordered = await Array.fromAsync(echo.echo.map(inputs, { ordered: false }));
    expect(new Set(unordered)).toEqual(new Set(inputs));
  });

  test('ends with the first failure, or tells each outcome', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    await expect(Array.fromAsync(handle.fail.map(['a', 'b']))).rejects.toThrow(new TypeError('a'));
    const settled = await Array.fromAsync(handle.fail.map(['a', 'b'], { settle: true }));
    expect(settled).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
  });

  test('leaving early cancels the rest, and closes the source', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    let closed = false;
    function* source(): Generator<number> {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        closed = true;
      }
    }
    for await (const item of handle.echo.map(source())) if (item === 10) break;
    expect(closed).toBe(true);
    const abort = new AbortController();
    const aborted = Array.fromAsync(handle.echoSlowly.map(source(), { signal: abort.signal }));
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await eventually(() => serve.status().apps['Basic']?.deployments['Basic']?.replicas[0]?.ongoing === 0);
  });
});
