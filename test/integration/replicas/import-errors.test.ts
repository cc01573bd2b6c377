import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deployment } from '../../../src/index.ts';
import { quietServe } from '../../support/quiet.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'inserve-imports-'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'lib.ts'), 'export interface Options { name: string }');
  writeFileSync(join(directory, 'styles.css'), 'p { color: red }');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The message with which a deployment fails whose replicas import such a module. */
async function failureOf(
  file: string,
  code: string,
  isolation: 'thread' | 'process' = 'thread',
): Promise<string> {
  writeFileSync(join(directory, file), code);
  await using serve = quietServe();
  const module = pathToFileURL(join(directory, file)).href;
  const broken = deployment(class {}, { name: 'Broken', module, isolation, maxConstructorRetryCount: 1 });
  const error: unknown = await serve.run(broken.bind()).catch((error: unknown) => error);
  return error instanceof Error ? error.message : '';
}

const ADVICE =
  'replicas import modules by Node itself, not through vitest, jest or a bundler: see docs/testing.md';

describe('a module that only another tool can load', () => {
  test.each<[what: string, file: string, code: string, message: string]>([
    ['an alias', 'alias.ts', "import '@/lib/model';", "Cannot find package '@/lib'"],
    ['no extension', 'bare.ts', "import './lib';", 'Cannot find module'],
    ['a folder', 'folder.ts', "import '.';", 'Directory import'],
    ['a stylesheet', 'style.ts', "import './styles.css';", 'Unknown file extension ".css"'],
    ['an enum', 'enum.ts', 'export enum Kind { A }', 'enum'],
    ['JSX', 'view.ts', 'export const view = <p>hello</p>;', ''],
    ['a type as a value', 'type.ts', "import { Options } from './lib.ts';", "named 'Options'"],
    ['CommonJS', 'common.ts', "export const fs = require('node:fs');", 'require is not defined'],
  ])('%s', async (_what, file, code, message) => {
    const failure = await failureOf(file, code);
    expect(failure).toContain('import failed: ');
    expect(failure).toContain(message);
    expect(failure).toContain(ADVICE);
  });

  test('in a child process', async () => {
    expect(await failureOf('child.ts', "import '@/lib/model';", 'process')).toContain(ADVICE);
  });
});

test('an error of the module itself has no such advice', async () => {
  const failure = await failureOf('own.ts', "throw new Error('no weights');");
  expect(failure).toContain('no weights');
  expect(failure).not.toContain('by Node itself');
});

test('a module that registers nothing says where to read on', async () => {
  expect(await failureOf('nothing.ts', 'export {};')).toMatch(
    /registered no deployment 'Broken'.* by Node itself.*docs\/testing\.md/,
  );
});
