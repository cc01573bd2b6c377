import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { LoadedBuilds } from '../../test/fixtures/programs/which-build-child.ts';
import { buildsOf, otherBuild } from './builds.ts';
import { Child } from './child.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const CHILD = new URL('../../test/fixtures/programs/which-build-child.ts', import.meta.url);
const TIMEOUT_MS = 90_000;

/** A directory that is removed again. */
function temporary(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'inserve-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A checkout with a copy of this build, which leaves a mark in every thread that imports the package. */
function markedCheckout(path: string, mark: string): void {
  cpSync(join(REPOSITORY, 'dist'), join(path, 'dist'), { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(path, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(path, 'node_modules'));
  for (const entry of ['index.js', 'thread/index.js']) {
    const leave = `;globalThis[Symbol.for('test.which-build')] = '${mark} ${entry}';\n`;
    appendFileSync(join(path, 'dist', entry), leave);
  }
}

async function loaded(root: URL | undefined): Promise<LoadedBuilds> {
  const child = await Child.start<'builds', LoadedBuilds>('which build', CHILD, [], TIMEOUT_MS, root);
  try {
    return await child.ask('builds', TIMEOUT_MS);
  } finally {
    await child.stop();
  }
}

describe('a child of a bench', { timeout: 3 * TIMEOUT_MS }, () => {
  test('loads the other build, in its process and in the threads of its replicas', async () => {
    using directory = temporary();
    markedCheckout(directory.path, 'other');
    const [own, before] = buildsOf(otherBuild(directory.path));
    expect(await loaded(before?.root)).toEqual({ host: 'other index.js', replica: 'other thread/index.js' });
    expect(await loaded(own?.root)).toEqual({ host: null, replica: null });
  });

  test('loads the build of its own checkout without a redirection', async () => {
    expect(await loaded(undefined)).toEqual({ host: null, replica: null });
  });
});

describe('otherBuild', () => {
  test('finds a checkout by its directory', () => {
    const { root, revision } = otherBuild(REPOSITORY);
    expect(root.href).toBe(pathToFileURL(REPOSITORY).href);
    expect(revision).toMatch(/./);
  });

  test('refuses a directory of something else', () => {
    using directory = temporary();
    expect(() => otherBuild(directory.path)).toThrow('is not a checkout of inserve');
    writeFileSync(join(directory.path, 'package.json'), '{ "name": "other" }');
    expect(() => otherBuild(directory.path)).toThrow('is not a checkout of inserve');
  });

  test('refuses a checkout that was not built or installed, and says what to do', () => {
    using directory = temporary();
    cpSync(join(REPOSITORY, 'package.json'), join(directory.path, 'package.json'));
    expect(() => otherBuild(directory.path)).toThrow(/has no dist\/index\.js; run `npm run build` there/);
    mkdirSync(join(directory.path, 'dist'));
    writeFileSync(join(directory.path, 'dist', 'index.js'), '');
    expect(() => otherBuild(directory.path)).toThrow(/has no node_modules; run `npm ci` there/);
  });
});
