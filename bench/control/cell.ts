import type { Metrics } from '../harness/samples.ts';

/** How the rounds of one key become its value: the median of a time, the worst or the sum of what must not happen. */
export type Reduction = 'median' | 'max' | 'sum';

/** One number of the last line's `ratios`. */
export interface CellKey {
  /** Begins with `control.` */
  readonly key: string;
  readonly metric: string;
  /** Default `'median'`. */
  readonly reduction?: Reduction;
  /** What it must reach, for the human reader. */
  readonly goal: string;
}

/**
 * One thing of the control plane that is measured, in a file and a process of its own. Add a file under `cells/` and name
 * it in `cells.ts`.
 */
export interface Cell {
  readonly name: string;
  /** Unit of every metric that `measure` answers. */
  readonly units: Readonly<Record<string, string>>;
  readonly keys: readonly CellKey[];
  /** Longest time that one round may take, in ms. */
  readonly timeoutMs: number;
  /** How often it is measured by default; `--rounds` overrides it. Long cells are measured once. */
  readonly rounds: number;
  measure(): Promise<Metrics>;
}
