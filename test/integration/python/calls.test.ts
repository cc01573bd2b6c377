import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { kwargs } from '../../../src/index.ts';
import { type Basics, basics, ShoutDeployment } from '../../fixtures/python/deployments.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';

describe.skipIf(!HAS_PYTHON)('calls of a Python class (skipped without Python 3.9 or newer)', () => {
  let serve: ReturnType<typeof quietServe>;
  let handle: DeploymentHandle<Basics>;

  beforeAll(async () => {
    serve = quietServe();
    handle = (await serve.run(basics)) as DeploymentHandle<Basics>;
  });
  afterAll(() => serve.close());

  test('run with positional and keyword arguments', async () => {
    expect(await handle.remote('Ann')).toBe('hi Ann?');
    expect(await handle.add.remote(1)).toBe(2);
    expect(await handle.add.remote(1, 5)).toBe(6);
    expect(await handle.add.remote(1, kwargs({ b: 0.5 }))).toBe(1.5);
    expect(await handle.later.remote(kwargs({ value: [1], seconds: 0 }))).toEqual([1]);
    const request = new Request('http://localhost/a');
    expect(await handle.kinds.remote(request, kwargs({}))).toEqual(['Request']);
  });

  test('values arrive as the types of Python, and come back', async () => {
    expect(
      await handle.kinds.remote(
        1,
        1.5,
        'a',
        true,
        null,
        [1],
        { a: 1 },
        new Set([1]),
        new Map([['a', 1]]),
        new Date(0),
        new Uint8Array(2),
        2n ** 64n,
      ),
    ).toEqual([
      'int',
      'float',
      'str',
      'bool',
      'NoneType',
      'list',
      'dict',
      'set',
      'dict',
      'datetime',
      'bytes',
      'int',
    ]);
    for (const value of [null, 'ü'.repeat(3000), [1, 2, 3], { a: { b: [new Set(['x'])] } }, 2n ** 70n])
      expect(await handle.echo.remote(value)).toEqual(value);
    const many = Array.from({ length: 10_000 }, (_, index) => index / 3);
    expect(await handle.echo.remote(many)).toEqual(many);
    const floats = Float32Array.from([1, 2, 3]);
    expect(await handle.echo.remote(floats)).toEqual(floats);
    const large = new Uint8Array(3_000_000).fill(7);
    const returned = (await handle.echo.remote(large)) as Uint8Array;
    expect(Buffer.compare(returned, large)).toBe(0);
  });

  test('many at a time each get their own result', async () => {
    const sums = Array.from({ length: 500 }, (_, index) => handle.add.remote(index, index));
    expect(await Promise.all(sums)).toEqual(sums.map((_, index) => 2 * index));
  });

  test('exceptions arrive with class, message, cause and traceback', async () => {
    const error = await handle.fail.remote('outer').then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ name: 'ValueError', message: 'outer', cause: { name: 'KeyError' } });
    expect(error?.stack).toContain('basics.py');
    expect(error?.stack).not.toContain('_calls.py');
    await expect(handle.refuse.remote()).rejects.toMatchObject({
      code: 'SERVE_BAD_REQUEST',
      statusCode: 400,
      detail: 'why',
    });
    await expect(handle.unsendable.remote()).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringContaining('unsendable(result).a[0] cannot cross from Python'),
    });
    await expect(handle.echo.remote(new SharedArrayBuffer(8))).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringContaining('echo'),
    });
  });

  test('unknown methods list the known ones', async () => {
    const unknown = (handle as unknown as { nothing: { remote(): Promise<unknown> } }).nothing.remote();
    await expect(unknown).rejects.toMatchObject({
      code: 'SERVE_UNKNOWN_METHOD',
      message: expect.stringContaining('later'),
    });
  });

  test('generators are streams, whose readers may leave', async () => {
    const all: number[] = [];
    for await (const number of handle.numbers.remote(200)) all.push(number);
    expect(all).toEqual(Array.from({ length: 200 }, (_, index) => index));
    const first: number[] = [];
    for await (const number of handle.ticks.remote(200)) {
      first.push(number);
      if (number === 3) break;
    }
    for await (const number of handle.numbers.remote(10_000)) if (number === 3) break;
    expect(first).toEqual([0, 1, 2, 3]);
    await expect.poll(() => handle.seen.remote()).toEqual(expect.arrayContaining(['ticks', 'numbers']));
    const broken: number[] = [];
    await expect(async () => {
      for await (const number of handle.breaks.remote()) broken.push(number);
    }).rejects.toMatchObject({ message: 'broken', name: 'RuntimeError' });
    expect(broken).toEqual([1, 2]);
  });

  test('a cancelled call ends in async and in sync code', async () => {
    const waiting = handle.wait_cancelled.remote();
    const polling = handle.poll_cancelled.remote();
    await expect
      .poll(() => serve.log.records)
      .toContainEqual(expect.objectContaining({ message: 'polling' }));
    waiting.cancel();
    polling.cancel();
    await expect(waiting).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await expect.poll(() => handle.seen.remote()).toEqual(expect.arrayContaining(['async', 'sync']));
  });

  test('a deadline that passes while the call waits keeps it from starting', async () => {
    const sleeping = handle.sleep.remote(0.5);
    const late = handle.options({ timeoutMs: 100 }).add.remote(1);
    await expect(late).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    await sleeping;
  });

  test('the context has the identity of the replica and of the call', async () => {
    const about = await handle.options({ tenant: 't1', sessionId: 's1', timeoutMs: 5_000 }).about.remote();
    expect(about).toMatchObject({
      app: 'Basics',
      deployment: 'Basics',
      rank: 0,
      tenant: 't1',
      session: 's1',
    });
    expect(about['left']).toBeGreaterThan(3);
    expect(about['left']).toBeLessThanOrEqual(5);
  });

  test('a function is a deployment too', async () => {
    const shout = await serve.run(ShoutDeployment.bind(), { routePrefix: null });
    expect(await shout.remote('abc')).toBe('ABC');
  });
});
