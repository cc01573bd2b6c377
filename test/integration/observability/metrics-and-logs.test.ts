import { readFile } from 'node:fs/promises';
import { Registry as OfficialRegistry } from '@prometheus-io/client';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createServe, metrics } from '../../../src/index.ts';
import { batcher } from '../../fixtures/batching/batching.ts';
import { observed, requests } from '../../fixtures/observed/observed.ts';
import { documentedMetrics, lintExposition, promtoolCheck } from '../../support/exposition.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { silent } from '../../support/silent.ts';
import { eventually, status } from '../../support/until.ts';

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
      message: expect.stringContaining('its first definition: a counter with the labels [kind]'),
    });
    expect(() => metrics.counter('serve_mine')).toThrow('not beginning with serve_');
    expect(() => metrics.gauge('g', { labels: ['app'] })).toThrow('a label name other than');
    expect(() => metrics.histogram('h', { buckets: [2, 1] })).toThrow('numbers in ascending order');
    expect(() => metrics.counter('demo_total').inc(-1)).toThrow('a number ≥ 0');
    const labels = { kind: 'a' } as unknown as number;
    expect(() => metrics.counter('demo_total').inc(labels)).toThrow(
      'demo_total.inc(value, labels): got an object',
    );
    expect(() => metrics.gauge('demo_set').set(labels)).toThrow('demo_set.set(value, labels): got an object');
    expect(() => metrics.histogram('demo_seen').observe(labels)).toThrow(
      'demo_seen.observe(value, labels): got',
    );
    expect(() => metrics.counter('demo_total').inc(1, { kind: 'a' })).toThrow(
      'demo_total: labels: got "kind"; allowed: none, unless its options declare them: { labels: [\'kind\'] }',
    );
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
    await using serve = createServe({ logger: silent, metrics: { register } });
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
    const own = () => serve.log.records.filter(({ fields }) => 'requestId' in fields);
    await eventually(() => own().length >= 3);
    const about = { app: 'Observed', deployment: 'Observed', replica, requestId: call.requestId };
    expect(own()).toMatchObject([
      { level: 'info', fields: about, message: 'first 1 { deep: [ true ] }' },
      { level: 'warn', fields: about, message: 'second' },
      { level: 'error', fields: about, message: expect.stringContaining('RangeError: third\n    at ') },
    ]);
  });

  test('a warning of Node in a replica is a warning in the log', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    await handle.warning.remote();
    const warnings = () => serve.log.records.filter(({ message }) => message.includes('the weights are old'));
    await eventually(() => warnings().length > 0);
    expect(warnings()).toMatchObject([
      {
        level: 'warn',
        fields: { deployment: 'Observed' },
        message: expect.stringContaining('WeightWarning'),
      },
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
    const middleware = serve.middleware(requests.options({ name: 'Plain' }).bind());
    await using plain = await listen(middleware);
    await middleware.ready();
    const silent = serve.log.records.length;
    await fetch(`http://127.0.0.1:${plain.port}/ok`);
    expect(serve.log.records.length).toBe(silent);
  });

  test('70: a deployment says from which level on', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.options({ logging: { level: 'error' } }).bind());
    await handle.log.remote();
    const own = () => serve.log.records.filter(({ fields }) => 'requestId' in fields);
    await eventually(() => own().length > 0);
    expect(own().map(({ level }) => level)).toEqual(['error']);
  });
});

/** A scrape with all there is: calls of each kind, batches, HTTP, an autoscaler, metrics of users. */
async function fullScrape(serve: ReturnType<typeof quietServe>): Promise<string> {
  const handle = await serve.run(observed.options({ numReplicas: 'auto' }).bind(), {
    routePrefix: '/observed',
  });
  const batched = await serve.run(batcher.bind(new Shared().buffer), { routePrefix: '/batcher' });
  await Promise.all([1, 2, 3].map((n) => batched.double.remote(n)));
  await Promise.all([
    handle.count.remote('"a"\n\\', 1),
    handle.observe.remote(1, 2),
    handle.measure.remote(1),
  ]);
  await handle.misuse.remote().catch(() => {});
  await using server = await listen(serve.middleware());
  await fetch(`http://127.0.0.1:${server.port}/nowhere`);
  const wanted = ['demo_rows_total{', 'serve_batch_size_count{', 'serve_autoscaling_desired_replicas{'];
  await eventually(async () => {
    const text = await serve.metrics();
    return wanted.every((name) => text.includes(name));
  });
  return await serve.metrics();
}

const BUCKETS = [
  '# HELP a_seconds x',
  '# TYPE a_seconds histogram',
  'a_seconds_bucket{le="1"} 1',
  'a_seconds_bucket{le="+Inf"} 2',
  'a_seconds_sum 3',
  'a_seconds_count 2',
  '',
].join('\n');

describe('an injected registry', () => {
  test.each([
    ['prom-client', () => new Registry()],
    ['@prometheus-io/client', () => new OfficialRegistry()],
  ])('of %s has all that the own one would have', async (_name, create) => {
    const register = create();
    await using serve = quietServe({ metrics: { register } });
    const handle = await serve.run(observed.bind());
    await handle.observe.remote(1, 2);
    const wanted = `demo_size_sum{${PLACE}} 3`;
    await eventually(async () => (await register.metrics()).includes(wanted));
    const text = await register.metrics();
    expect(text).toContain(`serve_requests_total{${PLACE},method="observe",outcome="ok"} 1`);
    expect(text).toContain(`serve_request_duration_seconds_count{${PLACE},method="observe",outcome="ok"} 1`);
    expect(lintExposition(text)).toEqual([]);
    expect((await promtoolCheck(text)) ?? []).toEqual([]);
  });

  test('may speak OpenMetrics', async () => {
    const register = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    await using serve = quietServe({ metrics: { register } });
    const handle = await serve.run(observed.bind());
    await handle.observe.remote(1);
    for (let scrape = 0; scrape < 2; scrape++) {
      const text = await serve.metrics();
      expect(text).toContain('# TYPE serve_requests counter');
      expect(text).toContain(`serve_requests_total{${PLACE},method="observe",outcome="ok"} 1`);
      expect(text.endsWith('# EOF\n')).toBe(true);
    }
  });
});

describe('the scrape', () => {
  test('keeps to the rules of Prometheus, and promtool has nothing to say where it is installed', async () => {
    await using serve = quietServe();
    const text = await fullScrape(serve);
    expect(text).toContain('serve_requests_total{');
    expect(lintExposition(text)).toEqual([]);
    expect((await promtoolCheck(text)) ?? []).toEqual([]);
  });

  test('is documented: each metric of the library, with its type and its labels', async () => {
    await using serve = quietServe();
    const text = await fullScrape(serve);
    const documented = documentedMetrics(await readFile('docs/observability.md', 'utf8'));
    const types = [...text.matchAll(/^# TYPE (serve_\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [
      name,
      type,
    ]);
    expect(types.length).toBeGreaterThan(15);
    for (const [name = '', type] of types) {
      const about = documented.get(name);
      expect(about?.type, `${name} in docs/observability.md`).toBe(type);
      const sample = new RegExp(`^${name}(?:_count)?\\{([^}]*)\\}`, 'm').exec(text);
      for (const [, label = ''] of (sample?.[1] ?? '').matchAll(/(\w+)="/g))
        expect(about?.labels, `labels of ${name}`).toContain(label);
    }
  });

  const head = '# HELP a_total x\n# TYPE a_total counter\n';
  test.each([
    ['a counter without _total', '# HELP a x\n# TYPE a counter\na 1\n'],
    ['a gauge with _total', '# HELP a_total x\n# TYPE a_total gauge\na_total 1\n'],
    ['no help', '# TYPE a gauge\na 1\n'],
    ['no base unit', '# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\na_milliseconds 1\n'],
    ['an abbreviated unit', '# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n'],
    ['a type in its name', '# HELP a_gauge_b x\n# TYPE a_gauge_b gauge\na_gauge_b 1\n'],
    ['camel case', '# HELP aB x\n# TYPE aB gauge\naB 1\n'],
    ['a reserved suffix', '# HELP a_count x\n# TYPE a_count gauge\na_count 1\n'],
    ['a value that is none', `${head}a_total one\n`],
    ['a label without quotes', `${head}a_total{b=1} 1\n`],
    ['help twice', `${head}# HELP a_total y\na_total 1\n`],
  ])('the check finds %s, as promtool does', async (_what, text) => {
    expect(lintExposition(text)).not.toEqual([]);
    expect((await promtoolCheck(text)) ?? ['promtool is not installed']).not.toEqual([]);
  });

  test.each([
    ['a sample twice', `${head}a_total{b="1"} 1\na_total{b="1"} 2\n`],
    ['a sample before its type', 'a_total 1\n# HELP a_total x\n# TYPE a_total counter\n'],
    ['buckets that fall', BUCKETS.replace('le="+Inf"} 2', 'le="+Inf"} 0')],
    ['a value without an end', `${head}a_total NaN\n`],
  ])('the check finds %s, which promtool lets pass', (_what, text) => {
    expect(lintExposition(BUCKETS)).toEqual([]);
    expect(lintExposition(text)).not.toEqual([]);
  });
});
