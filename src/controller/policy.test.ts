import { expect, test } from 'vitest';
import { readAppPolicyResult, readPolicyResult } from './policy.ts';

test('a number keeps the state, an object may change it', () => {
  expect(readPolicyResult(3.2, 'before')).toEqual({ replicas: 3.2, state: 'before' });
  expect(readPolicyResult({ replicas: 1 }, 'before')).toEqual({ replicas: 1, state: 'before' });
  expect(readPolicyResult({ replicas: 1, state: undefined }, 'before')).toEqual({
    replicas: 1,
    state: undefined,
  });
});

test.each([
  [-1],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  ['3'],
  [undefined],
  [null],
  [{}],
  [{ replicas: '3' }],
  [Promise.resolve(3)],
])('%s is no decision', (result) => {
  expect(() => readPolicyResult(result, undefined)).toThrow(TypeError);
});

test('what an app policy says about others than its deployments is refused as a whole', () => {
  const contexts = { A: { policyState: 1 } } as never;
  expect(readAppPolicyResult({}, contexts)).toEqual(new Map());
  expect(readAppPolicyResult({ A: 2 }, contexts)).toEqual(new Map([['A', { replicas: 2, state: 1 }]]));
  expect(() => readAppPolicyResult({ A: 2, B: 1 }, contexts)).toThrow(/decided about 'B'; autoscaled are A/);
  expect(() => readAppPolicyResult(Promise.resolve({}), contexts)).toThrow(/a promise/);
});
