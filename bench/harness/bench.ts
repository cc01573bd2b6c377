import type { OtherBuild } from './builds.ts';
import type { Comparison } from './comparison.ts';
import type { Failure } from './rounds.ts';
import type { Row } from './samples.ts';

/** What the command line asks for; a bench has its own defaults for what is not given. */
export interface BenchOptions {
  readonly rounds?: number;
  /** Length of one measured window. */
  readonly ms?: number;
  /** Runs only what has this in its `implementation/cell` name. */
  readonly only?: string;
  /** Sends the requests with autocannon instead of the bench's own generator. */
  readonly autocannon?: boolean;
  /** Runs only inserve, and this other build of it in the same rounds. */
  readonly against?: OtherBuild;
}

/** A number of the last line's `ratios`. */
export interface KeyedValue {
  readonly key: string;
  readonly value: number;
}

export interface BenchResult {
  /** The human-readable part. */
  readonly report: string;
  readonly ratios: readonly KeyedValue[];
  /** What `ratios` has against the other build, with its confidence interval. */
  readonly comparisons?: readonly Comparison[];
  readonly rows: readonly Row[];
  readonly failures: readonly Failure[];
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>;
