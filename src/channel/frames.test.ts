import fc from 'fast-check';
import { expect, test } from 'vitest';
import { post } from '../../test/support/post.ts';
import { FRAME, frameLength } from './frames.ts';

/** Also numbers that could be taken for the kind of another frame. */
const field = fc.oneof(fc.nat(12), fc.string(), fc.constant(undefined), fc.array(fc.nat(12)));
const id = fc.nat(5);

const call = fc
  .tuple(
    fc.constantFrom(FRAME.call, FRAME.callExtra),
    id,
    fc.nat(),
    fc.array(field, { maxLength: 4 }),
    field,
    field,
  )
  .map(([kind, slot, number, args, meta, marks]) => [
    ...[kind, slot, number, 0, 1_000, args.length, ...args],
    ...(kind === FRAME.callExtra ? [meta, marks] : []),
  ]);

/** Fields of the kinds of fixed length, their kind aside. */
const FIELDS: ReadonlyArray<readonly [number, number]> = [
  [FRAME.cancel, 2],
  [FRAME.result, 2],
  [FRAME.resultMarked, 3],
  [FRAME.error, 3],
  [FRAME.open, 3],
  [FRAME.chunk, 3],
  [FRAME.chunkMarked, 4],
  [FRAME.end, 1],
  [FRAME.credit, 2],
  [FRAME.batched, 2],
  [FRAME.slots, 1],
  [FRAME.ran, 2],
  [FRAME.lost, 3],
  [FRAME.returned, 4],
  [FRAME.answer, 5],
  [FRAME.answerMarked, 6],
  [FRAME.ranAt, 4],
];

const fixed = fc
  .constantFrom(...FIELDS)
  .chain(([kind, length]) => fc.tuple(fc.constant(kind), id, ...new Array(length - 1).fill(field)));

test('a message is read back as the frames it was made of', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(call, fixed), { minLength: 1, maxLength: 20 }), (frames) => {
      const message = post(frames.flat(1)) as unknown[];
      const read: unknown[][] = [];
      for (let at = 0; at < message.length; at += frameLength(message, at)) {
        read.push(message.slice(at, at + frameLength(message, at)));
      }
      expect(read).toStrictEqual(frames);
    }),
  );
});

test('every kind has a number and a length of its own', () => {
  const kinds = Object.values(FRAME);
  expect(new Set(kinds).size).toBe(kinds.length);
  expect(
    FIELDS.map(([kind]) => kind)
      .concat(FRAME.call, FRAME.callExtra)
      .sort(),
  ).toEqual([...kinds].sort());
});

test('a kind of another protocol is an error, not a frame', () => {
  expect(() => frameLength([FRAME.end, 1, 99, 1], 2)).toThrow('unknown frame kind 99 at 2 of 4');
  expect(() => frameLength([], 0)).toThrow('unknown frame kind undefined');
});
