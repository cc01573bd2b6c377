import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'inserve-publish-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** What the check says of a package.json with these fields; empty if it may be published. */
function refusal(fields: object): string {
  const file = join(directory, 'package.json');
  writeFileSync(file, JSON.stringify(fields));
  const { status, stderr } = spawnSync(process.execPath, ['scripts/check-publish.mjs', file], {
    encoding: 'utf8',
  });
  expect(status).toBe(stderr === '' ? 0 : 1);
  return stderr;
}

const PUBLIC = {
  repository: { type: 'git', url: 'git+https://git.somewhere.dev/people/inserve.git' },
  homepage: 'https://inserve.somewhere.dev/',
  bugs: 'https://git.somewhere.dev/people/inserve/issues',
};

test('a package that does not say where the project lives is not published', () => {
  expect(refusal({})).toContain('in: repository, homepage, bugs. See "Before the first release"');
  expect(refusal(PUBLIC)).toBe('');
  expect(refusal({ ...PUBLIC, bugs: undefined })).toContain('in: bugs.');
});

test.each([
  '',
  'TODO',
  'http://git.somewhere.dev/',
  'https://example.com/inserve',
  'https://localhost/inserve',
])('%j is no public address', (homepage) =>
  expect(refusal({ ...PUBLIC, homepage })).toContain('in: homepage.'),
);

test('it runs before npm publishes', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts['prepublishOnly']).toMatch(/^node scripts\/check-publish\.mjs && /);
});
