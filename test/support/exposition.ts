import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { PROMTOOL } from './promtool.ts';

/** One sample of a scrape. */
interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: string;
}

const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const SAMPLE = new RegExp(
  String.raw`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:${LABEL}(?:,${LABEL})*)?)\})? (\S+)$`,
);
const SUFFIXES = ['_bucket', '_sum', '_count'];
const OTHER_UNITS = /_(?:milliseconds|ms|minutes|hours|kb|mb|kilobytes|megabytes|percent)(?:_|$)/;

/**
 * What is wrong with a Prometheus text, by the rules of `promtool check metrics` (promlint) and of the format itself:
 * help and type once and first, counters end in `_total` and nothing else does, base units, no type in a name, reserved
 * suffixes only on histograms, no sample twice, buckets that never fall.
 */
export function lintExposition(text: string): string[] {
  const problems: string[] = [];
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  const buckets = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      if (helps.has(name)) problems.push(`${name}: help twice`);
      if (rest.trim() === '') problems.push(`${name}: no help text`);
      helps.add(name);
    } else if (kind === 'TYPE') {
      if (types.has(name)) problems.push(`${name}: type twice`);
      types.set(name, rest);
      problems.push(...lintName(name, rest));
    } else if (line !== '' && !line.startsWith('#')) {
      const sample = parse(line);
      if (sample === undefined) problems.push(`not a sample: ${line}`);
      else problems.push(...lintSample(sample, types, helps, seen, buckets));
    }
  }
  return problems;
}

function lintName(name: string, type: string): string[] {
  const problems: string[] = [];
  if ((type === 'counter') !== name.endsWith('_total'))
    problems.push(`${name}: _total is for counters, and all of them`);
  if (OTHER_UNITS.test(name)) problems.push(`${name}: not in base units`);
  if (/_(?:counter|gauge|histogram|summary)(?:_|$)/.test(name))
    problems.push(`${name}: its type is in its name`);
  if (/[A-Z]/.test(name)) problems.push(`${name}: not in snake case`);
  if (type !== 'histogram' && SUFFIXES.some((suffix) => name.endsWith(suffix))) {
    problems.push(`${name}: a suffix of histograms`);
  }
  return problems;
}

function lintSample(
  { name, labels, value }: Sample,
  types: ReadonlyMap<string, string>,
  helps: ReadonlySet<string>,
  seen: Set<string>,
  buckets: Map<string, number>,
): string[] {
  const suffix = SUFFIXES.find((candidate) => name.endsWith(candidate) && !types.has(name));
  const family = suffix === undefined ? name : name.slice(0, -suffix.length);
  const problems: string[] = [];
  if (!types.has(family) || !helps.has(family)) problems.push(`${name}: a sample before help and type`);
  if (seen.has(`${name}{${labels}}`)) problems.push(`${name}{${labels}}: twice`);
  seen.add(`${name}{${labels}}`);
  if (!Number.isFinite(Number(value))) problems.push(`${name}: value ${value}`);
  if (suffix === '_bucket') {
    const group = `${name}{${labels.replace(/le="[^"]*",?/, '')}}`;
    if (Number(value) < (buckets.get(group) ?? 0)) problems.push(`${group}: buckets fall`);
    buckets.set(group, Number(value));
  } else if (/(?:^|,)(?:le|quantile)=/.test(labels)) {
    problems.push(`${name}: a reserved label`);
  }
  return problems;
}

function parse(line: string): Sample | undefined {
  const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
  return name === undefined || value === undefined ? undefined : { name, labels, value };
}

/** What `promtool check metrics` says, line by line: nothing is good. Undefined where it is not installed. */
export async function promtoolCheck(exposition: string): Promise<string[] | undefined> {
  if (PROMTOOL === undefined) return undefined;
  const promtool = spawn(PROMTOOL, ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  // It stops reading at the first syntax error.
  promtool.stdin.on('error', () => {});
  promtool.stdin.end(exposition);
  const [said, complained, [code]] = await Promise.all([
    textOf(promtool.stdout),
    textOf(promtool.stderr),
    once(promtool, 'close') as Promise<[number]>,
  ]);
  const lines = `${said}${complained}`.split('\n').filter((line) => line !== '');
  return code === 0 || lines.length > 0 ? lines : [`exit code ${code}`];
}

/** The table of metrics in a page: `| names | type | labels |`. */
export function documentedMetrics(page: string): Map<string, { type: string; labels: string }> {
  const found = new Map<string, { type: string; labels: string }>();
  let above = '';
  for (const line of page.split('\n')) {
    const [, names = '', type = '', about = ''] = /^\| (`serve_[^|]*) \| (\w+) \| (.*) \|$/.exec(line) ?? [];
    const labels = about.startsWith('the same') ? above : about;
    above = labels;
    for (const [, name = ''] of names.matchAll(/`(serve_\w+)`/g)) found.set(name, { type, labels });
  }
  return found;
}
