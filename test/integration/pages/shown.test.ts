import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The blocks of pages that a comment before them says to be a file: page, file, and what the page shows. */
const shown = [...globSync('docs/*.md'), 'README.md'].flatMap((page) =>
  [
    ...readFileSync(page, 'utf8').matchAll(/^<!-- (test\/fixtures\/docs\S+) -->\n```\w+\n([\s\S]*?)^```$/gm),
  ].map(([, file = '', code = '']) => [page, file, code] as const),
);

test.each(shown)('%s shows %s as it is', (_page, file, code) => {
  expect(code).toBe(readFileSync(file, 'utf8'));
});

test('there are many', () => expect(shown.length).toBeGreaterThan(10));

test('the README names every page', () => {
  const readme = readFileSync('README.md', 'utf8');
  const pages = [...globSync('docs/*.md'), 'docs/operations/README.md'];
  expect(pages.filter((page) => !readme.includes(page))).toEqual([]);
});
