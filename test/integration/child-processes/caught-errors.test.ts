import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve } from '../../../src/index.ts';
import { basic } from '../../fixtures/calls/basic.ts';
import { type Catching, catching, failing } from '../../fixtures/calls/failing.ts';
import { front, probe } from '../../fixtures/calls/fleet.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually, status } from '../../support/until.ts';

describe('a process that calls other deployments catches', () => {
  let serve: Serve;
  let handle: DeploymentHandle<typeof Catching>;

  beforeAll(async () => {
    serve = quietServe();
    handle = await serve.run(catching.bind(failing.bind(basic.bind())));
    await status(serve, 'Catching', 'Failing', 'HEALTHY');
  });
  afterAll(() => serve.close());

  test.each([
    ['coded', { name: 'ServeError', message: 'full', code: 'SERVE_BACKPRESSURE', retryAfterMs: 70 }],
    ['cause', { name: 'RangeError', message: 'outer', cause: { isServeError: true, message: 'inner' } }],
    [
      'several',
      { name: 'AggregateError', message: 'both', errors: [{ name: 'TypeError', message: 'first' }] },
    ],
    ['handle', { name: 'TypeError', message: 'with a handle', answer: 'answer' }],
    ['text', { name: 'string', message: 'a text' }],
  ])('errors as they were thrown, of a call and of a broadcast: %s', async (how, expected) => {
    expect(await handle.failOne.remote(how)).toMatchObject(expected);
    const all = await handle.failAll.remote(how);
    expect(all).toHaveLength(2);
    for (const error of all) expect(error).toMatchObject(expected);
  });

  test('what the quicker replicas answered before the deadline of a broadcast', async () => {
    expect(await handle.answerOnOne.remote(10, 3_000)).toEqual({ fulfilled: 10, rejected: 10 });
  });

  test('why a broadcast cannot carry streams', async () => {
    const what = 'Failing.stream: it streams its result, which a broadcast of a process cannot carry';
    const refused = { isServeError: true, code: 'SERVE_INVALID_OPTION', message: what };
    expect(await handle.streamAll.remote()).toMatchObject([refused, refused]);
  });

  test('why a chunk cannot come to a process', async () => {
    expect(await handle.readShared.remote()).toMatchObject({
      isServeError: true,
      code: 'SERVE_NOT_SERIALIZABLE',
    });
  });

  test.each([
    ['hang', 300, { isServeError: true, code: 'SERVE_TIMEOUT' }],
    ['exit', 0, { isServeError: true, code: 'SERVE_REPLICA_DIED', cause: { name: 'Error' } }],
  ])('what becomes of the calls: %s', async (how, timeoutMs, expected) => {
    expect(await handle.failAll.remote(how, timeoutMs)).toMatchObject([expected, expected]);
    expect(await handle.failOne.remote(how, timeoutMs)).toMatchObject(expected);
  });
});

test('a process gets the answer of the second copy of its call as it crossed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inserve-hedged-'));
  try {
    await using serve = quietServe();
    const hedge = { afterMs: 50, maxExtraRatio: 1 };
    const slow = failing.options({ idempotent: ['answerSecond'], hedge }).bind(basic.bind());
    const handle = await serve.run(catching.bind(slow));
    await status(serve, 'Catching', 'Failing', 'HEALTHY');
    expect(await handle.hedged.remote(join(folder, 'first'))).toEqual({
      isBuffer: true,
      error: { name: 'TypeError', message: 't' },
      answer: 'answer',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the results and errors of a process's calls are compared with those of a shadow", async () => {
  await using serve = quietServe();
  const app = { name: 'probe' };
  await serve.run(probe.bind(), app);
  await serve.run(probe.bind(), { ...app, shadow: true });
  const handle = await serve.run(front.options({ isolation: 'process' }).bind());
  const compared = () => {
    const trial = serve.status().apps['probe']?.trial;
    return trial?.kind === 'shadow' ? trial.compared : { match: 0, mismatch: 0, error: 0, dropped: 0 };
  };
  const sum = () => Object.values(compared()).reduce((total, count) => total + count, 0);
  /** Makes a call until its copy was compared: a busy host sheds copies. */
  const untilCompared = (call: () => Promise<unknown>) =>
    eventually(async () => {
      const [before, { dropped }] = [sum(), compared()];
      await call();
      await eventually(() => sum() === before + 1);
      return compared().dropped === dropped;
    });
  await untilCompared(() => handle.echo.remote([Buffer.from('b'), new TypeError('t'), new Map([[1, 2n]])]));
  await untilCompared(() => handle.echo.remote('plain'));
  await untilCompared(() => expect(handle.fail.remote('no')).rejects.toThrow(new RangeError('no')));
  expect(compared()).toMatchObject({ match: 3, mismatch: 0, error: 0 });
});
