import { expect, test } from 'vitest';
import { describe, messageOf } from './describe-value.ts';

test.each<[unknown, string]>([
  [new RangeError('too long'), 'too long'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [{ code: 'E_FULL', at: { x: 1 } }, "{ code: 'E_FULL', at: [Object] }"],
  [[1, 2], '1,2'],
])('messageOf %o', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});

test('a large object, and one that cannot be read', () => {
  expect(describe(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`key${n}`, n])))).toHaveLength(
    200,
  );
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(describe(proxy)).toBe('an unreadable object');
});
