import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

/** What a program of a page prints. */
async function outputOf(program: string): Promise<string> {
  const { stdout } = await run(process.execPath, [`test/fixtures/docs/docs-${program}.ts`], {
    timeout: 60_000,
  });
  return stdout;
}

test.each([
  ['from-piscina', /^[0-9a-f]{128}\n$/],
  ['from-moleculer', /^330\n$/],
])('%s: the program does the same before and after', { timeout: 120_000 }, async (page, expected) => {
  const before = await outputOf(`${page}/before/main`);
  expect(before).toMatch(expected);
  expect(await outputOf(`${page}/after/main`)).toBe(before);
});
