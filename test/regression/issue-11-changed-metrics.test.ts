import { expect, test } from 'vitest';
import type { Serve } from '../../src/index.ts';
import { MAX_SERIES, MetricTable } from '../../src/user-metrics/table.ts';
import { type Changing, changing } from '../fixtures/observed/changing-metrics.ts';
import { quietServe } from '../support/quiet.ts';

async function series(serve: Serve, name: string): Promise<string[]> {
  const lines = (await serve.metrics()).split('\n');
  return lines.filter((line) => line.startsWith(`changing_size_${name}{`));
}

const of = (app: string): string => `app="${app}",deployment="Changing"`;

test('a metric with other buckets or labels counts after an update, and after the app was deleted', async () => {
  await using serve = quietServe();
  const run = (options: object) =>
    serve.run(changing.bind({ help: JSON.stringify(options), ...options }), { name: 'a', routePrefix: null });
  const first = await run({ buckets: [1, 10] });
  await first.observe.remote(5);
  await expect.poll(() => series(serve, 'count')).toEqual([`changing_size_count{${of('a')}} 1`]);

  const second = await run({ buckets: [3] });
  await second.observe.remote(2);
  await second.observe.remote(4);
  await expect
    .poll(() => series(serve, 'bucket'))
    .toEqual([`changing_size_bucket{le="3",${of('a')}} 1`, `changing_size_bucket{le="+Inf",${of('a')}} 2`]);
  expect(await serve.metrics()).toContain('# HELP changing_size {"buckets":[3]}');

  await serve.delete('a');
  const third = await run({ labels: ['size'] });
  await third.observe.remote(7);
  await expect.poll(() => series(serve, 'count')).toEqual([`changing_size_count{${of('a')},size="7"} 1`]);
  expect(serve.log.records.filter(({ level }) => level === 'warn')).toEqual([]);
});

test('two deployments that define one metric differently are told so, while both run', async () => {
  await using serve = quietServe();
  const run = (name: string, buckets: number[]) =>
    serve.run(changing.bind({ buckets }), { name, routePrefix: null });
  await (await run('a', [1])).observe.remote(5);
  await expect.poll(() => series(serve, 'count')).toHaveLength(1);
  await (await run('b', [2])).observe.remote(5);
  await expect
    .poll(() => serve.log.records.map(({ message }) => message))
    .toContainEqual(
      expect.stringContaining("deployment 'Changing' defines it differently from other deployments"),
    );
  expect(await series(serve, 'count')).toEqual([`changing_size_count{${of('a')}} 1`]);
});

test('the series of an ended app go after some scrapes, and leave their room to others at once', async () => {
  await using serve = quietServe();
  const run = (name: string) => serve.run(changing.bind({ labels: ['size'] }), { name, routePrefix: null });
  await (await run('a')).observe.remote(1, 1_000);
  await expect.poll(() => series(serve, 'count')).toHaveLength(1_000);
  await serve.delete('a');
  expect(await series(serve, 'count')).toHaveLength(1_000);
  await (await run('b')).observe.remote(1);
  const handle = serve.handle<typeof Changing>('b');
  await expect.poll(() => series(serve, 'count')).toEqual([`changing_size_count{${of('b')},size="1"} 1`]);
  await handle.observe.remote(2);
  await serve.delete('b');
  const left: number[] = [];
  for (let scrape = 0; scrape < 7; scrape++) left.push((await series(serve, 'count')).length);
  expect(left).toEqual([2, 2, 2, 2, 2, 0, 0]);
});

test('a full table gives the room of an ended deployment to another one', () => {
  const table = new MetricTable({ kind: 'counter', name: 'n', help: 'h', labels: ['id'], bounds: [] });
  for (let id = 0; id < MAX_SERIES; id++) table.series('a', 'D', [String(id)]);
  table.series('b', 'D', ['1']);
  expect([table.all.length, table.dropped]).toEqual([MAX_SERIES, 1]);
  table.ended('a', 'D');
  table.series('b', 'D', ['2']);
  expect(table.all.map(({ app }) => app)).toEqual(['b']);
});
