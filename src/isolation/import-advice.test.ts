import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importAdvice } from './import-advice.ts';
import { importPlace } from './import-place.ts';

const withCode = (code: string, message = 'not loaded'): Error => Object.assign(new Error(message), { code });

test('a module that only another tool can load', () => {
  const errors = [
    withCode('ERR_UNKNOWN_FILE_EXTENSION'),
    withCode('ERR_MODULE_NOT_FOUND', "Cannot find package '@/lib' imported from /app/src/models.ts"),
    new ReferenceError('require is not defined in ES module scope, you can use import instead'),
  ];
  for (const error of errors) expect(importAdvice(error)).toMatch(/by Node itself.*docs\/testing\.md$/);
});

test('an addon that one thread of a process can load', () => {
  const error = Object.assign(new Error("Module did not self-register: '/app/canvas.node'."), {
    code: 'ERR_DLOPEN_FAILED',
  });
  expect(importAdvice(error)).toMatch(/isolation: 'process'.*docs\/gpu-and-native\.md$/);
});

test('a deployment that is declared in a file of tests', () => {
  const ofRunner = new Error('no access to the internal state');
  ofRunner.stack = `Error: ${ofRunner.message}\n    at mock (file:///app/node_modules/vitest/dist/index.js:1:1)`;
  const errors = [
    ofRunner,
    new Error('Vitest mocker was not initialized in this environment.'),
    new Error('Do not import `@jest/globals` outside of the Jest test environment'),
    new ReferenceError('describe is not defined'),
    new ReferenceError('beforeEach is not defined'),
  ];
  for (const error of errors)
    expect(importAdvice(error)).toMatch(/^the replica imported a file of tests.*inline.*docs\/testing\.md$/);
  expect(importAdvice(new ReferenceError('latest is not defined'))).toBe('');
});

describe('a line of a module', () => {
  let file: string;
  beforeAll(() => {
    file = join(mkdtempSync(join(tmpdir(), 'inserve-advice-')), 'model.ts');
  });
  afterAll(() => rmSync(join(file, '..'), { recursive: true }));

  function adviceOn(line: string, error: Error, isParsed = true): string {
    writeFileSync(file, `\n${line}\n`);
    return importAdvice(error, { file, line: 2, text: `${file}:2`, isParsed });
  }

  test('with syntax of another tool', () => {
    const lines = ['const view = <p>hello</p>;', '  <Chart data={data} />', '  <>', '  @Injectable()'];
    for (const line of lines)
      expect(adviceOn(line, new SyntaxError('Expression expected'))).toMatch(/by Node itself/);
    const missing = new TypeError("Cannot read properties of undefined (reading 'MODE')");
    expect(adviceOn('const mode = import.meta.env.MODE;', missing, false)).toMatch(/by Node itself/);
  });

  test('with a mistake', () => {
    for (const line of ['const b = ;', 'if (a < b && c > d {', 'const a = 1, a = 2;', "const mail = 'a@b.c"])
      expect(adviceOn(line, new SyntaxError('Unexpected token'))).toBe('');
    expect(adviceOn("JSON.parse('<p></p>')", new SyntaxError('Unexpected token'), false)).toBe('');
  });
});

test('the place of an error whose file is gone, or that has none', () => {
  for (const error of [
    withCode('ERR_MODULE_NOT_FOUND', "Cannot find package '@/lib' imported from /gone/models.ts"),
    'text',
    null,
    { stack: 1 },
  ])
    expect(importPlace(error)).toBeUndefined();
});

test('any other error', () => {
  for (const error of [
    new Error('no weights'),
    withCode('ENOENT'),
    new SyntaxError('no'),
    'text',
    null,
    undefined,
  ])
    expect(importAdvice(error)).toBe('');
});
