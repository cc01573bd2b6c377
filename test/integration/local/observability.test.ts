import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createServe, metrics } from '../../../src/index.ts';
import { observed, requests } from '../../fixtures/observed.ts';
import { lintExposition } from '../../support/exposition.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually, status } from '../../support/until.ts';
import { listen } from '../listen.ts';

const PLACE = 'app="Observed",deployment="Observed"';

describe("users' metrics", () => {
  test('of replicas are on the scrape of the host, summed; gauges by rank', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.options({ numReplicas: 2 }).bind());
    // A broadcast reaches the replicas that run.
    await status(serve, 'Observed', 'Observed', 'HEALTHY');
    await Promise.all([
      handle.count.remote('a', 2),
      handle.count.remote('a', 3),
      handle.count.remote('b', 1),
    ]);
    await handle.observe.remote(0.5, 5, 50);
    await Promise.all(await handle.broadcast('measure', 21));
    await eventually(async () => {
      const text = await serve.metrics();
      return (
        text.includes(`demo_rows_total{${PLACE},kind="a"} 5`) &&
        text.includes(`demo_temperature_celsius{${PLACE},rank="1"} 21`) &&
        text.includes(`demo_size_count{${PLACE}} 3`)
      );
    });
    const text = await serve.metrics();
    for (const line of [
      '# HELP demo_rows_total Rows seen.',
      '# TYPE demo_rows_total counter',
      `demo_rows_total{${PLACE},kind="b"} 1`,
      `demo_temperature_celsius{${PLACE},rank="0"} 21`,
      `demo_size_bucket{le="1",${PLACE}} 1`,
      `demo_size_bucket{le="10",${PLACE}} 2`,
      `demo_size_bucket{le="+Inf",${PLACE}} 3`,
      `demo_size_sum{${PLACE}} 55.5`,
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });

  test('are counted once, also over a scrape and by a replica that has gone', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    await handle.count.remote('a', 1);
    await eventually(async () => (await serve.metrics()).includes('kind="a"} 1'));
    await handle.count.remote('a', 1);
    await handle.measure.remote(3);
    await serve.run(observed.options({ version: 'two' }).bind());
    await eventually(async () => (await serve.metrics()).includes('kind="a"} 2'));
    // Its gauge went with the replica.
    await eventually(async () => !(await serve.metrics()).includes('demo_temperature_celsius{'));
  });

  test('wrong use is told where it is made', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    await expect(handle.misuse.remote()).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('allowed: exactly kind'),
    });
    await expect(handle.otherwise.remote()).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('what it was defined as before: a counter with the labels [kind]'),
    });
    expect(() => metrics.counter('serve_mine')).toThrow('not beginning with serve_');
    expect(() => metrics.gauge('g', { labels: ['app'] })).toThrow('a label name other than');
    expect(() => metrics.histogram('h', { buckets: [2, 1] })).toThrow('numbers in ascending order');
    expect(() => metrics.counter('demo_total').inc(-1)).toThrow('a number ≥ 0');
  });

  test('a label without bounds fills neither memory nor the scrape', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    await Promise.all(
      Array.from({ length: 1_200 }, (_, n) => handle.count.remote(`kind ${n}`, 1)).map((call) =>
        call.catch(() => {}),
      ),
    );
    await eventually(async () => (await serve.metrics()).includes('demo_rows_total{'));
    const lines = (await serve.metrics()).split('\n').filter((line) => line.startsWith('demo_rows_total{'));
    expect(lines.length).toBeLessThanOrEqual(1_000);
  });

  test('are registered in the registry of the app', async () => {
    const register = new Registry();
    await using serve = createServe({ metrics: { register } });
    metrics.counter('demo_host_total').inc(4);
    expect(serve.ready()).toBe(true);
    expect(await register.metrics()).toContain('demo_host_total{app="",deployment=""} 4');
  });
});

describe('the log', () => {
  test("70: a replica's console is heard as records, each with its request", async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    const call = handle.log.remote();
    const replica = await call;
    await eventually(() => serve.log.records.length >= 3);
    const about = { app: 'Observed', deployment: 'Observed', replica, requestId: call.requestId };
    expect(serve.log.records).toMatchObject([
      { level: 'info', fields: about, message: 'first 1 { deep: [ true ] }' },
      { level: 'warn', fields: about, message: 'second' },
      { level: 'error', fields: about, message: expect.stringContaining('RangeError: third\n    at ') },
    ]);
  });

  test('70: an access log, where a deployment asks for it', async () => {
    await using serve = quietServe();
    const app = requests.options({ logging: { accessLog: true } }).bind();
    await using server = await listen(serve.middleware(app));
    const url = `http://127.0.0.1:${server.port}`;
    await fetch(`${url}/ok?secret=1`, { headers: { 'x-request-id': 'r-1' } });
    await fetch(`${url}/fail`, { headers: { 'x-request-id': 'r-2' } });
    const access = serve.log.records.filter(({ message }) => message.startsWith('GET '));
    expect(access).toMatchObject([
      {
        level: 'info',
        fields: { requestId: 'r-1', deployment: 'Requests', method: 'GET', path: '/ok', statusCode: 200 },
        message: expect.stringMatching(/^GET \/ok 200 \d+\.\d ms$/),
      },
      { level: 'info', fields: { requestId: 'r-2', path: '/fail', statusCode: 500 } },
    ]);
    const silent = serve.log.records.length;
    await using plain = await listen(serve.middleware(requests.options({ name: 'Plain' }).bind()));
    await fetch(`http://127.0.0.1:${plain.port}/ok`);
    expect(serve.log.records.length).toBe(silent);
  });

  test('70: a deployment says from which level on', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.options({ logging: { level: 'error' } }).bind());
    await handle.log.remote();
    await eventually(() => serve.log.records.length > 0);
    expect(serve.log.records.map(({ level }) => level)).toEqual(['error']);
  });
});

test('the scrape keeps to the rules of Prometheus', async () => {
  await using serve = quietServe();
  const handle = await serve.run(observed.bind());
  await Promise.all([handle.count.remote('"a"\n', 1), handle.observe.remote(1, 2), handle.measure.remote(1)]);
  await handle.misuse.remote().catch(() => {});
  await eventually(async () => (await serve.metrics()).includes('demo_rows_total{'));
  const text = await serve.metrics();
  expect(text).toContain('serve_requests_total{');
  expect(lintExposition(text)).toEqual([]);
});
