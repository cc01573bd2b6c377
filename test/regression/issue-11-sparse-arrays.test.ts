import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { basic } from '../fixtures/calls/basic.ts';
import { quietServe } from '../support/quiet.ts';

test('holes stay, and an array of holes is refused before it is walked', async () => {
  await using serve = quietServe();
  const handle = await serve.run(basic.bind(), { routePrefix: null });
  const holey = Object.assign([1, undefined, 3], { unit: 'ms' });
  delete holey[1];
  const arrived = (await handle.echo.remote(holey)) as number[];
  expect(arrived).toStrictEqual(holey);
  expect(1 in arrived).toBe(false);

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (const length of [1e8, 2 ** 32 - 1]) {
    const sparse = [1];
    sparse.length = length;
    await expect(handle.echo.remote({ sparse })).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringContaining('echo(arg 0).sparse'),
    });
    expect(() => (basic.bind as (...args: unknown[]) => unknown)(sparse)).toThrow('sparse array');
    expect(() => basic.options({ userConfig: { sparse } })).toThrow('userConfig.sparse');
    const errors = Object.assign(new AggregateError([], 'many'), { errors: sparse });
    expect(await handle.echo.remote(errors)).toMatchObject({ message: 'many', errors: [1] });
  }
  // Seconds without the refusal.
  expect(delay.max / 1e6).toBeLessThan(5_000);
});
