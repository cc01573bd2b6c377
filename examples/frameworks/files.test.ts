import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { toOnnx } from './onnx-file.ts';
import { toTfjs } from './tfjs-file.ts';
import type { Weights } from './weights.ts';

const read = (name: string): Buffer => readFileSync(new URL(`./models/${name}`, import.meta.url));

test('the three files hold the same network, as train.ts writes it', () => {
  const weights = JSON.parse(read('digits.json').toString()) as Weights;
  expect(Buffer.compare(read('digits.onnx'), toOnnx(weights))).toBe(0);
  expect(JSON.parse(read('digits.tfjs.json').toString())).toEqual(toTfjs(weights));
});
