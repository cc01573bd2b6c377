// Written by `inserve python-types`. Do not edit: change the annotations, and run it again.
import type { Tensor, TensorData } from 'inserve';

type TensorLike = Tensor | TensorData;

/** Tells whether exactly one of two numbers is 1. */
export interface Xor {
  /** The probability for each pair. The memory of `pairs` is that of the message: nothing is copied. */
  predict(pairs: TensorLike): TensorLike;
}

export type XorArguments = [steps?: number];
