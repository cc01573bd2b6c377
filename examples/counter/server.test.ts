import { expect, test } from 'vitest';
import { startExample } from '../../test/support/example.ts';

test('counts over requests, from plain routes and from its own', async () => {
  await using example = await startExample('counter');
  const count = async (path: string, method = 'GET'): Promise<unknown> =>
    await (await fetch(example.url + path, { method })).json();
  expect(await count('/Counter')).toEqual({ count: 0 });
  expect(await count('/Counter/incr')).toEqual({ count: 1 });
  expect(await count('/Counter', 'POST')).toEqual({ count: 2 });
  expect(await count('/Counter/decr')).toEqual({ count: 1 });
  expect(await count('/Counter')).toEqual({ count: 1 });
});
