import { expect, test } from 'vitest';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';

test('counts over requests, from plain routes and from its own', async () => {
  await using example = await startExample('counter');
  const count = async (path: string, method = 'GET'): Promise<unknown> =>
    await (await fetch(example.url + path, { method })).json();
  await expectConsole('examples/counter/README.md', example.url);
  expect(await count('/Counter/incr')).toEqual({ count: 2 });
  expect(await count('/Counter', 'POST')).toEqual({ count: 3 });
  expect(await count('/Counter/decr')).toEqual({ count: 2 });
  expect(await count('/Counter')).toEqual({ count: 2 });
});
