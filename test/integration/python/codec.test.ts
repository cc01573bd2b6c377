import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageReader, toMessage } from '../../../src/isolation/child/python/message.ts';
import { decodeValue } from '../../../src/isolation/child/python/values/decode.ts';
import { ValueEncoder } from '../../../src/isolation/child/python/values/encode.ts';
import { HAS_PYTHON, PYTHON } from '../../support/python.ts';

/** Sends values to Python and back, each in a message of its own. */
function throughPython(values: readonly unknown[]): unknown[] {
  const messages = values.flatMap((value, number) => {
    const encoder = new ValueEncoder();
    const { text, marks } = encoder.encode(value, 'value');
    return toMessage([`[3,${number},${text},${marks === '' ? 0 : marks}]`], encoder.attachments);
  });
  const { stdout, stderr } = spawnSync(PYTHON, ['test/python/codec_echo.py'], {
    input: Buffer.concat(messages),
    maxBuffer: 2 ** 28,
  });
  expect(stderr.toString()).toBe('');
  const received: unknown[] = [];
  new MessageReader().push(stdout, ({ frames: [frame], attachments }) => {
    received.push(decodeValue(frame?.[2], frame?.[3], attachments));
  });
  return received;
}

/** Values that have a counterpart in Python; its sets have no order. */
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt().filter((value) => value > 2n ** 53n || value < -(2n ** 53n)),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2900-01-01') }),
  fc.uint8Array(),
  fc.float32Array({ minLength: 1 }),
  fc.array(fc.double(), { minLength: 16, maxLength: 40 }),
  fc.array(fc.maxSafeInteger(), { minLength: 16, maxLength: 40 }),
  fc.array(fc.integer(), { minLength: 16, maxLength: 40 }),
  fc.string({ minLength: 1_024, maxLength: 1_100, unit: 'grapheme' }),
  fc.array(fc.integer(), { maxLength: 1 }).map((items) => new Set(items)),
);
const value = fc.letrec((tie) => ({
  value: fc.oneof({ weight: 3, arbitrary: leaf }, tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
})).value;

describe.skipIf(!HAS_PYTHON)('values through Python (skipped without Python 3.9 or newer)', () => {
  test('come back as they were', () => {
    const values = fc.sample(value, { numRuns: 1_000, seed: 16 });
    const returned = throughPython(values);
    expect(returned).toHaveLength(values.length);
    for (const [index, value] of values.entries()) expect(returned[index]).toEqual(value);
  });
});
