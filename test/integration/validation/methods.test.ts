import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle, ServeError } from '../../../src/index.ts';
import { type Checked, checked, misnamed } from '../../fixtures/http/schemas.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';

/** Called as JavaScript may: the types are no help to the checks. */
type Untyped = Record<string, { remote(...args: unknown[]): Promise<unknown> & AsyncIterable<unknown> }>;

function failure(call: Promise<unknown>): Promise<ServeError> {
  return call.then(
    (value) => Promise.reject(new Error(`expected a failure, got ${JSON.stringify(value)}`)),
    (error: ServeError) => error,
  );
}

describe.each(['thread', 'inline'] as const)('schemas of methods, isolation %s', (isolation) => {
  const serve = quietServe();
  let handle: DeploymentHandle<typeof Checked>;
  let untyped: Untyped;

  beforeAll(async () => {
    handle = await serve.run(checked.options({ isolation }).bind());
    untyped = handle as unknown as Untyped;
  });
  afterAll(() => serve.close());

  const lastSeen = async () => (await handle.seen.remote()).at(-1);

  test('the method gets what the schema made, the caller gets what the output schema made', async () => {
    expect(await untyped['top']?.remote({ text: 'a b c d', extra: 1 })).toEqual({ words: ['a', 'b', 'c'] });
    expect(await lastSeen()).toEqual({ text: 'a b c d', top: 3 });
  });

  test('invalid input never reaches the method', async () => {
    const before = (await handle.seen.remote()).length;
    const error = await failure(handle.top.remote({ text: '', top: -1 }));
    expect(error).toMatchObject({ code: 'SERVE_VALIDATION', statusCode: 422, retryable: false });
    expect(error.issues?.map(({ path }) => path)).toEqual([['text'], ['top']]);
    expect(error.message).toMatch(/^the input of top\(\) is invalid: text: .+ \(and 1 more\)$/);
    expect(await handle.seen.remote()).toHaveLength(before);
    expect(await handle.top.remote({ text: 'fine', top: 1 })).toEqual({ words: ['fine'] });
  });

  test.each([
    [undefined],
    [null],
    ['text'],
    [[]],
    [new Map()],
    [{ text: 1n }],
    [{ text: 'a', top: Number.NaN }],
  ])('hostile: %o', async (input) => {
    expect(await failure(untyped['top']!.remote(input))).toMatchObject({ code: 'SERVE_VALIDATION' });
  });

  test('several parameters: the schema gets their list', async () => {
    expect(await handle.add.remote(1, 2)).toBe(3);
    for (const args of [[], [1], [1, 'x'], [1, 2, 3]]) {
      expect(await failure(untyped['add']!.remote(...args))).toMatchObject({ code: 'SERVE_VALIDATION' });
    }
    expect(await lastSeen()).toEqual([1, 2]);
  });

  test('one parameter: another argument is refused, not dropped', async () => {
    expect(await failure(untyped['top']!.remote({ text: 'a' }, 'more'))).toMatchObject({
      issues: [{ path: [], message: 'expected 1 argument, got 2' }],
    });
  });

  test('asynchronous schemas', async () => {
    expect(await handle.late.remote('you')).toBe('hello you');
    expect(await failure(handle.late.remote('nobody'))).toMatchObject({
      issues: [{ message: 'nobody is nobody' }],
    });
    expect(await failure(handle.late.remote('a'.repeat(20)))).toMatchObject({ code: 'SERVE_INVALID_RESULT' });
  });

  test('a result that the schema does not accept is the method’s fault', async () => {
    expect(await handle.wrong.remote('right')).toBe(1);
    const error = await failure(handle.wrong.remote('text'));
    expect(error).toMatchObject({ code: 'SERVE_INVALID_RESULT', statusCode: 500, retryable: false });
    expect(error.message).toMatch(/^wrong\(\) gave a result that its output schema does not accept: /);
    expect(error.issues).toHaveLength(1);
    expect(await failure(handle.add.remote(0.5, 0.2))).toMatchObject({ code: 'SERVE_INVALID_RESULT' });
  });

  test('a stream: the input first, then value by value; the generator is left at the first wrong one', async () => {
    expect(await failure(Array.fromAsync(untyped['count']!.remote('x')))).toMatchObject({
      code: 'SERVE_VALIDATION',
    });
    expect(await Array.fromAsync(handle.count.remote(3))).toEqual([1, 2, 3]);
    const values: unknown[] = [];
    const reading = (async () => {
      for await (const value of handle.count.remote(9)) values.push(value);
    })();
    expect(await failure(reading)).toMatchObject({ code: 'SERVE_INVALID_RESULT' });
    expect(values).toEqual([1, 2, 3]);
    await eventually(
      async () => (await handle.seen.remote()).filter((entry) => entry === 'left').length === 2,
    );
  });

  test('a sync generator, transformed; left early, its finally blocks run', async () => {
    expect(await Array.fromAsync(handle.countNow.remote(3))).toEqual([10, 20, 30]);
    const left = (await handle.seen.remote()).filter((entry) => entry === 'left').length;
    for await (const value of handle.countNow.remote(1e9)) if (value >= 30) break;
    await eventually(
      async () => (await handle.seen.remote()).filter((entry) => entry === 'left').length === left + 1,
    );
  });

  test('a schema that throws fails its own call with its own error', async () => {
    expect(await failure(handle.buggy.remote('a'))).toMatchObject({
      name: 'RangeError',
      message: 'a bug in the schema',
    });
  });

  test('items of a batch are checked one by one', async () => {
    const results = await Promise.allSettled([1, 200, 3].map((item) => handle.double.remote(item)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[2]).toMatchObject({ value: 6 });
  });
});

describe('schemas', () => {
  test('a moved result is moved, though the schema made another object of it', async () => {
    await using serve = quietServe();
    const handle = await serve.run(checked.bind());
    expect((await handle.moved.remote(100_000)).pixels).toHaveLength(100_000);
    expect(await handle.left.remote()).toBe(0);
  });

  test('of a method that is not there fail the deployment', async () => {
    await using serve = quietServe();
    const failed = await failure(serve.run(misnamed.bind()));
    expect(failed).toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
    expect(failed.message).toContain(
      'deployment.schemas.predict: got "a schema"; allowed: the remote methods: call',
    );
  });
});
