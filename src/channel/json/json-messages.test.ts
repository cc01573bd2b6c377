import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FRAME } from '../frames.ts';
import { callsAsJson, callsWithParts, callsWithValues, joinCalls } from './calls-as-json.ts';
import { withoutParts } from './json-batch.ts';
import { joinResults, resultsAsJson, resultsWithParts, resultsWithValues } from './results-as-json.ts';

const plain = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const call = fc
  .tuple(
    fc.nat(),
    fc.nat(),
    fc.nat(),
    fc.array(plain, { maxLength: 3 }),
    fc.option(fc.string(), { nil: undefined }),
  )
  .map(([id, number, deadline, args, meta]) =>
    meta === undefined
      ? [FRAME.call, id, number, -1, deadline, args.length, ...args]
      : [FRAME.callExtra, id, number, 3, deadline, args.length, ...args, meta, undefined],
  );
const calls = fc.array(call, { maxLength: 6 }).map((frames) => frames.flat(1) as unknown[]);

const results = fc
  .array(fc.tuple(fc.nat(), fc.oneof(plain, fc.constant(undefined))), { maxLength: 6 })
  .map((pairs) => pairs.flatMap(([id, value]) => [FRAME.result, id, value]));

/** Values that JSON does not keep as they are. */
const ODD = [
  undefined,
  -0,
  Number.NaN,
  1n,
  new Date(0),
  new Map(),
  new Uint8Array(2),
  Object.assign([1], { name: 'x' }),
];

describe('calls as JSON', () => {
  test('are the same after they were passed on unread, also joined with others', () => {
    fc.assert(
      fc.property(calls, calls, (first, second) => {
        const parts = [first, second].flatMap((frames) => callsWithParts(callsAsJson(frames) ?? ''));
        expect(callsWithValues(joinCalls(parts) ?? '')).toEqual([...first, ...second]);
        expect(withoutParts(parts)).toEqual([...first, ...second]);
      }),
      { seed: 16 },
    );
  });

  test('that leave without the others of their message are read', () => {
    const frames = [1, 2].flatMap((id) => [FRAME.call, id, id, 0, 0, 2, `a${id}`, { id }]);
    const parts = callsWithParts(callsAsJson(frames) ?? '');
    const [first, second] = [parts.slice(0, 7), parts.slice(7)];
    expect(joinCalls(first)).toBeUndefined();
    expect(joinCalls([...second, ...first])).toBeUndefined();
    expect(joinCalls([...parts, FRAME.cancel, 1, 0])).toBeUndefined();
    expect(withoutParts(first)).toEqual(frames.slice(0, 8));
    expect(withoutParts([FRAME.cancel, 7, 0, ...second])).toEqual([FRAME.cancel, 7, 0, ...frames.slice(8)]);
  });

  test('are refused where JSON cannot express them', () => {
    for (const odd of ODD) {
      expect(callsAsJson([FRAME.call, 1, 1, 0, 0, 1, odd])).toBeUndefined();
      expect(callsAsJson([FRAME.call, 1, 1, 0, 0, 1, { odd }])).toBeUndefined();
    }
    expect(callsAsJson([FRAME.callExtra, 1, 1, 0, 0, 0, { tenant: 'a' }, undefined])).toBeUndefined();
    expect(callsAsJson([FRAME.callExtra, 1, 1, 0, 0, 1, {}, 'id', [{}, 'date']])).toBeUndefined();
    expect(callsAsJson([FRAME.call, 1, 1, 0, 0, 0, FRAME.cancel, 2, 0])).toBeUndefined();
    expect(callsAsJson([FRAME.call, 1, 1, 0, 0, 1, 'x'.repeat(20_000)])).toBeUndefined();
  });
});

describe('results as JSON', () => {
  test('are the same after they were passed on unread, also joined with others', () => {
    fc.assert(
      fc.property(results, results, (first, second) => {
        const parts = [first, second].flatMap((frames) => resultsWithParts(resultsAsJson(frames) ?? ''));
        expect(resultsWithValues(joinResults(parts) ?? '')).toEqual([...first, ...second]);
        expect(withoutParts(parts)).toEqual([...first, ...second]);
      }),
      { seed: 16 },
    );
  });

  test('that leave without the others of their message are read', () => {
    const frames = [FRAME.result, 1, 'a', FRAME.result, 2, undefined, FRAME.result, 3, [3]];
    const parts = resultsWithParts(resultsAsJson(frames) ?? '');
    expect(joinResults(parts.slice(0, 6))).toBeUndefined();
    expect(withoutParts(parts.slice(0, 6))).toEqual(frames.slice(0, 6));
    expect(joinResults([FRAME.ran, 3, 7, ...parts.slice(6)])).toBeUndefined();
    expect(withoutParts([FRAME.ran, 3, 7, ...parts.slice(6)])).toEqual([FRAME.ran, 3, 7, ...frames.slice(6)]);
  });

  test('are refused where JSON cannot express them', () => {
    for (const odd of ODD.slice(1)) expect(resultsAsJson([FRAME.result, 1, odd])).toBeUndefined();
    expect(resultsAsJson([FRAME.result, 1, 'x', FRAME.error, 2, {}, undefined])).toBeUndefined();
    expect(resultsAsJson([FRAME.result, 1, 'x'.repeat(20_000)])).toBeUndefined();
  });
});
