import { expect, test } from 'vitest';
import type { Serve } from '../../src/index.ts';
import { CallCounts, MOST_ENDED } from '../../src/observe/call-counts.ts';
import { HttpCounts } from '../../src/observe/http-counts.ts';
import { type Basic, basic, type Caller, caller } from '../fixtures/calls/basic.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { event } from '../support/until.ts';

/** Counters and histograms by their series. */
async function counted(serve: Serve): Promise<Map<string, number>> {
  const text = await serve.metrics();
  const counters = new Set(
    [...text.matchAll(/^# TYPE (\S+) (?:counter|histogram)$/gm)].map(([, name]) => name),
  );
  const values = new Map<string, number>();
  for (const [, name = '', labels, value] of text.matchAll(/^(\w+)(\{.*\})? (\S+)$/gm)) {
    if (counters.has(name) || counters.has(name.replace(/_(?:bucket|sum|count)$/, '')))
      values.set(`${name}${labels}`, Number(value));
  }
  return values;
}

test('no counter falls or vanishes, whatever ends', async () => {
  await using serve = quietServe();
  await using server = await listen(serve.middleware());
  let last = new Map<string, number>();
  const look = async (): Promise<Map<string, number>> => {
    const next = await counted(serve);
    const fallen = [...last].filter(([series, value]) => !((next.get(series) ?? -1) >= value));
    expect(fallen).toEqual([]);
    last = next;
    return next;
  };
  const ask = async (): Promise<void> => {
    const handle = serve.handle<typeof Caller>('Caller');
    for (let n = 0; n < 20; n++) await handle.remote(n);
    await fetch(`http://127.0.0.1:${server.port}/`);
    await look();
  };
  const app = () => caller.bind(basic.bind());
  const requests = (series: ReadonlyMap<string, number>): number =>
    [...series].reduce((sum, [name, n]) => sum + (name.startsWith('serve_requests_total{') ? n : 0), 0);

  await serve.run(app());
  await ask();
  await serve.run(app(), { canary: 0.5 });
  await ask();
  const before = requests(await look());
  await serve.rollback('Caller');
  expect(requests(await look())).toBeGreaterThanOrEqual(before);
  await ask();
  await serve.run(app(), { canary: 0.5 });
  await serve.promote('Caller');
  await ask();

  const died = event(
    serve,
    'replica',
    ({ deployment, state }) => deployment === 'Basic' && state === 'STOPPED',
  );
  await serve
    .handle<typeof Basic>('Basic', { app: 'Caller' })
    .exit.remote(0)
    .catch(() => {});
  await died;
  await look();
  await serve.delete('Caller');
  const ended = await look();
  expect(ended.get('serve_replica_restarts_total{app="Caller",deployment="Basic"}')).toBe(1);
  expect(await serve.metrics()).not.toContain('serve_replicas{app="Caller"');
  await serve.run(app());
  await ask();
  await look();
});

test('the counts of ended apps are bounded in number', () => {
  const book = new CallCounts((app) => app === 'running');
  book.of('running', 'D').unobserved = 1;
  for (let n = 0; n < 3 * MOST_ENDED; n++) book.of(`app${n}`, 'D').unobserved = n;
  const kept = book.samples({}).map(({ app }) => app);
  expect([kept.length, kept[0], kept[1], kept.at(-1)]).toEqual([
    MOST_ENDED + 1,
    'running',
    `app${2 * MOST_ENDED}`,
    `app${3 * MOST_ENDED - 1}`,
  ]);

  const http = new HttpCounts();
  http.of('running', 'D').record('/', 'GET', 200);
  for (let n = 0; n < 3 * MOST_ENDED; n++) {
    http.of(`app${n}`, 'D').record('/', 'GET', 200);
    http.ended(`app${n}`);
  }
  expect(http.read()).toHaveLength(MOST_ENDED + 1);
  http.of(`app${3 * MOST_ENDED - 1}`, 'D').record('/', 'GET', 200);
  expect(http.read().at(-1)).toMatchObject({ app: `app${3 * MOST_ENDED - 1}`, count: 2 });
});
