import { expect, test } from 'vitest';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';

test('finds, as lines of JSON and from a route of the host', async () => {
  await using example = await startExample('fastify');
  await expectConsole('examples/fastify/README.md', example.url);
  const lines = async (path: string, headers = {}) => {
    const text = await (await fetch(example.url + path, { headers })).text();
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; score: number });
  };
  const found = await lines('/search?q=hono+router+as+an+ingress');
  expect(found).toHaveLength(3);
  expect(found.map(({ file }) => file)).toContain('examples/hono-ingress/README.md');
  expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).toSorted((a, b) => b - a));
  expect((await lines('/search?q=the', { 'x-plan': 'paid' })).length).toBeGreaterThan(3);
  const files = await fetch(`${example.url}/files?q=mandelbrot&limit=20`);
  expect(await files.json()).toMatchObject({
    files: expect.arrayContaining(['examples/koa/README.md']),
  });
  expect((await fetch(`${example.url}/files?q=x`)).status).toBe(400);
  expect(await (await fetch(`${example.url}/metrics`)).text()).toContain('deployment="Search"');
});
