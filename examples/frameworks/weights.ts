/** One layer: `weights` has a row for each input, and a column for each output. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** Row-major: the weight from input `i` to output `o` is at `i × outputs + o`. */
  readonly weights: readonly number[];
  readonly bias: readonly number[];
}

/** A perceptron: rectifiers between the two layers, a softmax behind them. */
export interface Weights {
  readonly hidden: Layer;
  readonly output: Layer;
}
