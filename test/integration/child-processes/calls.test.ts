import { expect, test } from 'vitest';
import { basic } from '../../fixtures/calls/basic.ts';
import { quietServe } from '../../support/quiet.ts';

test('calls, errors and streams', async () => {
  await using serve = quietServe();
  const handle = await serve.run(basic.options({ isolation: 'process' }).bind());
  expect((await handle.where.remote()).threadId).not.toBe(process.pid);
  expect(await handle.remote()).toEqual({ count: 1 });
  await expect(handle.fail.remote('no')).rejects.toThrow(new TypeError('no'));
  expect(await Array.fromAsync(handle.count.remote(200))).toHaveLength(200);
  const call = handle.where.remote();
  expect((await call).requestId).toBe(call.requestId);
});
