import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PROMTOOL, promtool } from '../support/promtool.ts';
import { quietServe } from '../support/quiet.ts';

if (PROMTOOL === undefined)
  console.warn('promtool is not installed, and no package has it here: the checks by promtool are skipped');

const FOLDER = 'docs/operations';

interface Rules {
  readonly groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}

interface Dashboard {
  readonly panels: { title: string; targets?: { expr: string }[] }[];
  readonly templating: { list: { name: string; query?: unknown }[] };
}

const rules = parse(readFileSync(`${FOLDER}/alerts.yaml`, 'utf8')) as Rules;
const dashboard = JSON.parse(readFileSync(`${FOLDER}/grafana-dashboard.json`, 'utf8')) as Dashboard;
const alerts = rules.groups.flatMap((group) => group.rules);
const panels = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);
const variables = dashboard.templating.list.map(({ name, query }) => [name, JSON.stringify(query)] as const);

const folder = mkdtempSync(join(tmpdir(), 'operations-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The names under which the metrics of a scrape are asked for. */
async function scraped(): Promise<Set<string>> {
  await using serve = quietServe();
  const text = await serve.metrics();
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/\bserve_\w+/g)].map(([name]) => name);
}

test('every metric in the alert rules and the dashboard exists', async () => {
  const known = await scraped();
  const asked = [...alerts.map(({ alert, expr }) => [alert, expr] as const), ...panels, ...variables];
  expect(asked.length).toBeGreaterThan(30);
  const unknown = asked.flatMap(([where, expr]) =>
    namesIn(expr)
      .filter((name) => !known.has(name))
      .map((name) => `${where}: ${name}`),
  );
  expect(unknown).toEqual([]);
  // The words of the alerts name metrics as a whole.
  const told = alerts.flatMap(({ annotations }) => namesIn(Object.values(annotations).join(' ')));
  expect(told.filter((name) => !known.has(name) && !known.has(`${name}_bucket`))).toEqual([]);
});

test('each metric of replicas and deployments is on the dashboard', async () => {
  const shown = new Set(panels.flatMap(([, expr]) => namesIn(expr)));
  for (const name of [
    'serve_replica_deaths_total',
    'serve_queue_seconds_bucket',
    'serve_replica_memory_bytes',
  ])
    expect(shown).toContain(name);
});

describe.skipIf(PROMTOOL === undefined)('promtool', () => {
  test('accepts the alert rules, and their tests pass', () => {
    expect(promtool(FOLDER, 'check', 'rules', 'alerts.yaml')).toMatchObject({ isGood: true });
    expect(promtool(FOLDER, 'test', 'rules', 'alerts.test.yaml')).toMatchObject({ isGood: true });
  });

  test('accepts every expression of the dashboard', () => {
    const recorded = panels.map(([, expr], index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'),
    }));
    const file = join(folder, 'panels.json');
    // YAML is a superset of JSON.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
    expect(promtool(folder, 'check', 'rules', 'panels.json')).toMatchObject({ isGood: true });
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'p', rules: [{ record: 'p', expr: 'sum(' }] }] }));
    expect(promtool(folder, 'check', 'rules', 'panels.json')).toMatchObject({ isGood: false });
  });
});
