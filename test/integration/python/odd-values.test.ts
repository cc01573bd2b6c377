import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Odd, odd } from '../../fixtures/python/odd.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';

const REFUSED = { code: 'SERVE_NOT_SERIALIZABLE' };

async function read<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

describe.skipIf(!HAS_PYTHON)('what cannot be sent fails its call alone (skipped without Python 3.9)', () => {
  let serve: ReturnType<typeof quietServe>;
  let handle: DeploymentHandle<Odd>;

  beforeAll(async () => {
    serve = quietServe();
    handle = (await serve.run(odd)) as DeploymentHandle<Odd>;
  });
  afterAll(() => serve.close());

  test('a method that returns a generator answers with a stream', async () => {
    const to = 100;
    const all = Array.from({ length: to }, (_, index) => index);
    expect(await read(await handle.made_stream.remote(to))).toEqual(all);
    expect(await read((await handle.made_later.remote(to)) as AsyncIterable<number>)).toEqual(all);
  });

  test('a response for HTTP, which says so', async () => {
    const refused = {
      ...REFUSED,
      message: expect.stringMatching(/^an inserve\.Response can only be the whole result/),
    };
    await expect(handle.response.remote(false)).rejects.toMatchObject(refused);
    await expect(handle.response.remote(true)).rejects.toMatchObject(refused);
    await expect(read(handle.responses.remote())).rejects.toMatchObject(refused);
    expect(await handle.echo.remote(1)).toBe(1);
  });

  test('exceptions whose text cannot be made', async () => {
    const mute = { name: 'Mute', message: expect.stringContaining('__str__ raised RuntimeError') };
    await expect(handle.mute.remote()).rejects.toMatchObject(mute);
    await expect(handle.mute_later.remote()).rejects.toMatchObject(mute);
    await expect(read(handle.mute_stream.remote())).rejects.toMatchObject(mute);
    await expect(handle.mute_cause.remote()).rejects.toMatchObject({ message: 'loud', cause: mute });
  });

  test('a generator with arguments that do not fit, together with calls behind it', async () => {
    const count = handle.count as unknown as { remote(): AsyncIterable<number> };
    const [failed, next] = await Promise.allSettled([read(count.remote()), handle.echo.remote(1)]);
    expect(failed).toMatchObject({ reason: { name: 'TypeError', message: expect.stringContaining("'to'") } });
    expect(next).toMatchObject({ value: 1 });
  });

  test.each([
    ['a Date of no year of Python', new Date(8.64e15), 'Date outside the years 1 to 9999'],
    ['a Date before the year 1', new Date(-8.64e15), 'Date outside the years 1 to 9999'],
    ['a Set of objects', [new Set([{ a: 1 }])], 'a Set with a member that Python cannot hash'],
    ['a Set of arrays', new Set([[1]]), 'a Set with a member that Python cannot hash'],
    ['a Set of typed arrays', new Set([new Float32Array(1)]), 'a Set with a member that Python cannot hash'],
    ['a bigint of too many digits', 10n ** 5_000n, 'bigint of more than 4300 digits'],
  ])('%s', async (_name, value, message) => {
    await expect(handle.echo.remote(value)).rejects.toMatchObject({
      ...REFUSED,
      message: expect.stringContaining(message),
    });
  });

  test('the last values that Python has', async () => {
    const last = [
      new Date('9999-12-31T23:59:59.999Z'),
      new Date('0001-01-01T00:00:00Z'),
      new Set([new Uint8Array([1]), new Date(0), 'a', null]),
      10n ** 4_299n,
    ];
    expect(await handle.echo.remote(last)).toEqual(last);
  });

  test('an integer with more digits than Python prints, where Python has such a limit', async () => {
    const outcome = await handle.many_digits.remote().catch(({ code }) => code);
    expect([10n ** 5_000n, REFUSED.code]).toContain(outcome);
  });

  test('values that exceed a message, with calls beside them', async () => {
    const calls = [
      handle.echo.remote(1),
      handle.echo.remote(new Uint8Array(2 ** 28)),
      handle.echo.remote(2),
      handle.huge.remote(256),
      handle.huge_error.remote(256),
      handle.echo.remote(3),
    ];
    const outcomes = await Promise.allSettled(calls);
    const tooLarge = { reason: { ...REFUSED, message: expect.stringContaining('a message holds at most') } };
    expect(outcomes).toMatchObject([
      { value: 1 },
      tooLarge,
      { value: 2 },
      tooLarge,
      { reason: { name: 'ValueError', message: expect.stringContaining('cannot cross from Python') } },
      { value: 3 },
    ]);
  });

  test('errors and results of other deployments', async () => {
    expect(await handle.ask_other.remote()).toEqual(['RemoteError', 'refused', 409, false]);
    await expect(handle.receive_set.remote()).rejects.toMatchObject(REFUSED);
  });
});
