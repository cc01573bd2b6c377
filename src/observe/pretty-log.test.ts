import { expect, test } from 'vitest';
import { type Paint, prettyLines } from './pretty-log.ts';

const plain: Paint = (_style, text) => text;
const marked: Paint = (style, text) => `<${String(style)}>${text}</>`;
const time = new Date(2026, 0, 2, 3, 4, 5, 6);

test('one line: the time, the level, the message, the fields', () => {
  const fields = { app: 'speech', replica: undefined, calls: [{ method: 'detect' }], text: 'two  words' };
  expect(prettyLines('info', time, fields, 'replica is ready', plain)).toBe(
    "03:04:05.006 INFO  replica is ready app=speech calls=[ { method: 'detect' } ] text=two words",
  );
});

test('the stack of an error below, with its cause', () => {
  const error = new RangeError('too long', { cause: new Error('the reason') });
  const [first, ...others] = prettyLines('error', time, { err: error }, 'request failed', plain).split('\n');
  expect(first).toBe('03:04:05.006 ERROR request failed');
  expect(others[0]).toBe('    RangeError: too long');
  expect(others[1]).toMatch(/^ {8}at /);
  expect(others.join('\n')).toContain('[cause]: Error: the reason');
});

test('colours', () => {
  expect(prettyLines('warn', time, { app: 'speech' }, 'slow', marked)).toBe(
    '<gray>03:04:05.006</> <yellow>WARN </> slow <gray>app=speech</>',
  );
});

test('what clients send neither steers the terminal nor fills it', () => {
  const url = `/\u001b[2Jx${'y'.repeat(500)}`;
  const line = prettyLines('error', time, { url }, 'bad\u0007', plain);
  expect(line).toContain('bad\\x07');
  expect(line).toContain('url=/\\x1b[2Jx');
  expect(line.length).toBeLessThan(300);
});

test('values that throw when they are looked at', () => {
  const hostile = new Proxy({}, { ownKeys: () => expect.unreachable() });
  expect(prettyLines('info', time, { hostile }, 'said', plain)).toContain('said hostile=');
});
