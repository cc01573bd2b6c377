import { readFileSync } from 'node:fs';
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
