import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { type Basic, basic } from '../fixtures/calls/basic.ts';
import { observed } from '../fixtures/observed/observed.ts';
import { quietServe } from '../support/quiet.ts';

test('close() takes its metrics out of an injected registry, and a later instance finds it free', async () => {
  const register = new Registry();
  const foreign = {
    name: 'foreign',
    help: 'f',
    type: 'gauge',
    get: async () => ({ name: 'foreign', help: 'f', type: 'gauge', values: [] }),
  };
  register.registerMetric(foreign as never);
  for (let round = 0; round < 2; round++) {
    await using serve = quietServe({ metrics: { register } });
    const handle = await serve.run(observed.bind(), { routePrefix: null });
    await handle.count.remote('row', 2);
    await expect.poll(() => register.metrics()).toContain('demo_rows_total{');
    expect(register.getMetricsAsArray().length).toBeGreaterThan(20);
    await serve.close();
    expect(register.getMetricsAsArray()).toEqual([foreign]);
  }
});

test('a second instance on one registry is told to take a prefix of its own', async () => {
  const register = new Registry();
  await using serve = quietServe({ metrics: { register } });
  const before = register.getMetricsAsArray();
  expect(() => quietServe({ metrics: { register } })).toThrow(
    expect.objectContaining({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringMatching(/^metrics\.prefix: .*'serve_'.*a prefix of its own/),
    }),
  );
  expect(register.getMetricsAsArray()).toEqual(before);

  await using other = quietServe({ metrics: { register, prefix: 'other_' } });
  await other.run(basic.bind(), { routePrefix: null });
  await other.handle<typeof Basic>('Basic').echo.remote(1);
  expect(await register.metrics()).toContain('other_requests_total{app="Basic"');
  await other.close();
  expect(register.getMetricsAsArray()).toEqual(before);
  await serve.close();
  expect(register.getMetricsAsArray()).toEqual([]);
});
