import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServe, deployment } from '../../../src/index.ts';
import { quietServe, Records } from '../../support/quiet.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'inserve-imports-'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module", "dependencies": { "listed": "1" } }');
  mkdirSync(join(directory, 'node_modules/there'), { recursive: true });
  writeFileSync(join(directory, 'node_modules/there/package.json'), '{ "exports": { "./a": "./a.js" } }');
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
    ['an import of a .js file', 'js.ts', "import './lib.js';", 'Cannot find module'],
    ['a decorator', 'decorator.ts', '@(() => {})\nexport class Model {}', 'Invalid or unexpected token'],
    ['an asset', 'asset.ts', "import text from './lib.ts?raw';", "named 'default'"],
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

describe('a mistake in the module is told with its line, without advice', () => {
  test.each<[what: string, file: string, code: string, message: string]>([
    ['syntax', 'syntax.ts', 'export const b = ;', 'Expression expected'],
    ['syntax of JavaScript', 'syntax.js', 'export const b = ;', "Unexpected token ';'"],
    [
      'a module that is not there',
      'gone.ts',
      "import './gone-too.ts';",
      "Cannot find module '.*gone-too\\.ts'",
    ],
    [
      'a module that is imported later',
      'later.ts',
      "await import('./gone-too.ts');",
      "Cannot find module '.*'",
    ],
    [
      'a module that is required',
      'required.cjs',
      "require('./gone-too');",
      "Cannot find module '\\./gone-too'",
    ],
    ['a package that is not installed', 'listed.ts', "import 'listed/a';", "Cannot find package 'listed'"],
    [
      'a path that a package has not',
      'path.ts',
      "import 'there/b';",
      "Package subpath './b' is not defined .*json",
    ],
    ['an export that is not there', 'named.js', "import { a } from './later.js';", ".* an export named 'a'"],
    ['an error', 'thrown.ts', "throw new Error('no weights');", 'no weights'],
    ['a SyntaxError of its code', 'parse.ts', "JSON.parse('{ <p></p>');", 'Expected property name .*'],
  ])('%s', async (_what, file, code, message) => {
    writeFileSync(join(directory, 'later.js'), '');
    const failure = await failureOf(file, `\n${code}\n`);
    expect(failure).toMatch(new RegExp(`^Broken: import failed: \\S+/${file}:2(?::\\d+)?: ${message}$`));
  });
});

test('a type that is imported as a value', async () => {
  const failure = await failureOf('type.ts', "\nimport { Options } from './lib.ts';");
  expect(failure).toMatch(
    /type\.ts:2: .*named 'Options'; if 'Options' is a type, import it with `import type`: /,
  );
});

test('a package that may be an alias', async () => {
  const failure = await failureOf('package.ts', "\nimport '@app/lib';");
  expect(failure).toContain(
    `package.ts:2: Cannot find package '@app/lib'; if '@app/lib' is an alias: ${ADVICE}`,
  );
});

test('a deployment whose own module is not there', async () => {
  // The library finds itself in the message only where it is not in a bundle.
  await using serve = createServe({ logger: new Records(), hostGuard: { enabled: false } });
  const module = pathToFileURL(join(directory, 'nowhere.ts')).href;
  const broken = deployment(class {}, { name: 'Broken', module, maxConstructorRetryCount: 1 });
  await expect(serve.run(broken.bind())).rejects.toThrow(
    /^Broken: import failed: Cannot find module '\S+nowhere\.ts'; this is the `module` of the deployment: .*docs\/bundlers\.md$/,
  );
});

test('a module that registers nothing says where to read on', async () => {
  expect(await failureOf('nothing.ts', 'export {};')).toMatch(
    /registered no deployment 'Broken'.* by Node itself.*docs\/testing\.md/,
  );
});
