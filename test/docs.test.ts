import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SERVE_ERRORS } from '../src/errors.ts';

const errorsPage = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

/** The table's rows, one per code, as the page has them. */
const documented = new Map(
  [...errorsPage.matchAll(/^\| `(SERVE_\w+)` \|.*\|$/gm)].map(([row, code = '']) => [code, row]),
);

describe('docs/errors.md', () => {
  test.each(Object.entries(SERVE_ERRORS))('has the row of %s', (code, row) => {
    const { statusCode, retryable, meaning, remedy } = row;
    const expected = `| \`${code}\` | ${statusCode} | ${retryable ? 'yes' : 'no'} | ${meaning} | ${remedy} |`;
    expect(documented.get(code)).toBe(expected);
  });

  test('has no other codes, in the order of the table', () => {
    expect([...documented.keys()]).toEqual(Object.keys(SERVE_ERRORS));
    const mentioned = new Set(errorsPage.match(/SERVE_[A-Z_]+/g));
    mentioned.delete('SERVE_ERRORS');
    expect([...mentioned].filter((code) => !(code in SERVE_ERRORS))).toEqual([]);
  });
});

/** The calls of a function in a source, each to its closing parenthesis. */
function callsOf(name: string, source: string): string[] {
  return [...source.matchAll(new RegExp(`(?<![.\\w])${name}\\((?!\\))`, 'g'))].map(({ index }) => {
    let depth = 0;
    for (let at = source.indexOf('(', index); at < source.length; at++) {
      if (source[at] === '(') depth++;
      if (source[at] === ')' && --depth === 0) return source.slice(index, at + 1);
    }
    return source.slice(index);
  });
}

describe('docs/bundlers.md', () => {
  const page = readFileSync('docs/bundlers.md', 'utf8');
  const shown = [...page.matchAll(/^<!-- (\S+) -->\n```\w+\n([\s\S]*?)^```$/gm)];

  test.each(shown.map(([, file = '', code = '']) => [file, code]))('shows %s as it is', (file, code) => {
    expect(code).toBe(readFileSync(file, 'utf8'));
  });

  test('shows many', () => {
    expect(shown.length).toBeGreaterThan(10);
  });
});

describe('the pages', () => {
  const pages = [
    ...globSync('docs/**/*.md'),
    ...globSync('examples/*/README.md'),
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'bench/README.md',
  ];

  test.each(pages)('%s links to what is there', (page) => {
    const text = withoutCode(page);
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, target = '']) => target,
    );
    expect(targets.filter((target) => !existsSync(join(dirname(page), target)))).toEqual([]);
  });

  test.each(pages)('%s links to headings that exist', (page) => {
    const text = withoutCode(page);
    const missing = [...text.matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)].filter(
      ([, target = '', anchor = '']) => {
        const linked = target === '' ? page : join(dirname(page), target);
        return linked.endsWith('.md') && !anchorsOf(linked).has(anchor);
      },
    );
    expect(missing.map(([link]) => link)).toEqual([]);
  });

  test.each([...pages, ...globSync('examples/**/*.ts')])('%s names its deployments', (page) => {
    const text = readFileSync(page, 'utf8');
    const blocks = page.endsWith('.md')
      ? [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => code)
      : [text];
    const nameless = blocks
      .flatMap((code) => callsOf('deployment', code))
      .filter((call) => !/\bname:/.test(call));
    expect(nameless).toEqual([]);
  });

  test('decisions are numbered once, and as their titles say', () => {
    const files = globSync('docs/decisions/*.md').sort();
    const numbers = files.map((file) => basename(file).slice(0, 3));
    expect(numbers).toEqual(files.map((_, index) => String(index + 1).padStart(3, '0')));
    for (const [index, file] of files.entries()) {
      expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^# ${numbers[index]} `));
    }
  });
});

function withoutCode(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
}

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const headings = [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
