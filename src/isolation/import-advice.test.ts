import { expect, test } from 'vitest';
import { importAdvice } from './import-advice.ts';

const withCode = (code: string): Error => Object.assign(new Error('not loaded'), { code });

test('a module that only another tool can load', () => {
  const errors = [
    withCode('ERR_MODULE_NOT_FOUND'),
    new SyntaxError("Unexpected token '<'"),
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

test('any other error', () => {
  for (const error of [new Error('no weights'), withCode('ENOENT'), 'text', null, undefined])
    expect(importAdvice(error)).toBe('');
});
