/**
 * Trains the network on 20 000 drawings and writes it three times, once for each framework. The models in the repository
 * came from `node examples/frameworks/train.ts`; the same seed gives the same files.
 */
import { writeFileSync } from 'node:fs';
import { draw, randomFrom, SIDE } from './drawing.ts';
import { toOnnx } from './onnx-file.ts';
import { toTfjs } from './tfjs-file.ts';
import type { Layer, Weights } from './weights.ts';

const INPUTS = SIDE * SIDE;
const HIDDEN = 32;
const DIGITS = 10;
const DRAWINGS = 20_000;
const EPOCHS = 6;

const random = randomFrom(1);

/** A layer in training. He initialisation: random weights of variance 2 / inputs, here uniform. */
function layer(inputs: number, outputs: number) {
  const spread = Math.sqrt(6 / inputs);
  const weights = Float64Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * spread);
  return { inputs, outputs, weights, bias: new Float64Array(outputs) };
}

type Trained = ReturnType<typeof layer>;

function forward({ inputs, outputs, weights, bias }: Trained, values: ArrayLike<number>): Float64Array {
  const sums = bias.slice();
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) sums[o] = sums[o]! + values[i]! * weights[i * outputs + o]!;
  }
  return sums;
}

/** One step of stochastic gradient descent. @returns the error with respect to the layer's inputs */
function backward(
  layer: Trained,
  values: ArrayLike<number>,
  error: Float64Array,
  rate: number,
): Float64Array {
  const { inputs, outputs, weights, bias } = layer;
  const back = new Float64Array(inputs);
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) {
      const at = i * outputs + o;
      back[i] = back[i]! + weights[at]! * error[o]!;
      weights[at] = weights[at]! - rate * error[o]! * values[i]!;
    }
  }
  for (let o = 0; o < outputs; o++) bias[o] = bias[o]! - rate * error[o]!;
  return back;
}

function softmax(logits: Float64Array): Float64Array {
  const highest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - highest));
  const sum = exponentials.reduce((all, one) => all + one, 0);
  return exponentials.map((one) => one / sum);
}

const hidden = layer(INPUTS, HIDDEN);
const output = layer(HIDDEN, DIGITS);
const drawings = Array.from({ length: DRAWINGS }, (_, index) => {
  const digit = index % DIGITS;
  return { digit, pixels: draw(digit, random) };
});

for (let epoch = 0; epoch < EPOCHS; epoch++) {
  const rate = 0.02 * (1 - epoch / EPOCHS);
  let right = 0;
  for (const { digit, pixels } of drawings) {
    const sums = forward(hidden, pixels);
    const activations = sums.map((sum) => Math.max(0, sum));
    const error = softmax(forward(output, activations));
    if (error.indexOf(Math.max(...error)) === digit) right++;
    // The gradient of the cross-entropy behind a softmax is the difference to what should be.
    error[digit] = error[digit]! - 1;
    const back = backward(output, activations, error, rate);
    backward(
      hidden,
      pixels,
      back.map((value, index) => (sums[index]! > 0 ? value : 0)),
      rate,
    );
  }
  console.log(`epoch ${epoch + 1}: ${((100 * right) / DRAWINGS).toFixed(2)} % right`);
}

/** Six digits say as much as a float32 is good for here, and keep the file small. */
function rounded({ inputs, outputs, weights, bias }: Trained): Layer {
  const round = (values: Float64Array): number[] =>
    Array.from(values, (value) => Number(value.toPrecision(6)));
  return { inputs, outputs, weights: round(weights), bias: round(bias) };
}

const trained: Weights = { hidden: rounded(hidden), output: rounded(output) };
const file = (name: string): URL => new URL(`./models/${name}`, import.meta.url);
writeFileSync(file('digits.json'), `${JSON.stringify(trained)}\n`);
writeFileSync(file('digits.tfjs.json'), `${JSON.stringify(toTfjs(trained))}\n`);
writeFileSync(file('digits.onnx'), toOnnx(trained));
