// Written by `inserve python-types`. Do not edit: change the annotations, and run it again.
import type { Tensor, TensorData } from 'inserve';

type TensorLike = Tensor | TensorData;

/** The most likely species, and its probability. */
export interface Verdict {
  label: string;
  score: number;
}

/** Classifies flowers by the length and width of sepal and petal, in cm. */
export interface IrisClassifier {
  /** Classifies one flower. Calls that come at the same time run as one batch: `rows` has a row for each. */
  predict(rows: TensorLike): Verdict;
}

export type IrisClassifierArguments = [max_iter?: number];
