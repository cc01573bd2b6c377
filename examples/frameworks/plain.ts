import { readFileSync } from 'node:fs';
import { deployment } from 'inserve';
import { Drawing, Reading, toReading } from './schemas.ts';
import type { Layer, Weights } from './weights.ts';

/** No framework at all: two functions of arithmetic. */
export class PlainDigits {
  readonly #weights: Weights;

  constructor() {
    this.#weights = JSON.parse(readFileSync(new URL('./models/digits.json', import.meta.url), 'utf8'));
  }

  call({ pixels }: Drawing): Reading {
    const { hidden, output } = this.#weights;
    const activations = sums(hidden, pixels).map((sum) => Math.max(0, sum));
    return toReading(softmax(sums(output, activations)));
  }
}

function sums({ inputs, outputs, weights, bias }: Layer, values: readonly number[]): number[] {
  return Array.from({ length: outputs }, (_, o) => {
    let sum = bias[o] as number;
    for (let i = 0; i < inputs; i++) sum += (values[i] as number) * (weights[i * outputs + o] as number);
    return sum;
  });
}

function softmax(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - highest));
  const sum = exponentials.reduce((all, one) => all + one, 0);
  return exponentials.map((one) => one / sum);
}

export const plain = deployment(PlainDigits, {
  name: 'PlainDigits',
  module: import.meta.url,
  schemas: { call: { input: Drawing, output: Reading } },
}).bind();
