import type { Limit } from '../harness/comparison.ts';
import type { KeySpec, Metrics } from '../harness/samples.ts';

/** What is measured of a contender, once in each round. */
export interface MeasureRequest {
  /** How long the load is kept up. */
  readonly ms: number;
  /** Of the arrivals and services; the same for all contenders of a round. */
  readonly seed: number;
}

/** A contender that is started and warm. */
export interface Session {
  measure(request: MeasureRequest): Promise<Metrics>;
  close(): Promise<unknown>;
}

/** @param stepsPerMs steps of `compute` in a millisecond, the same for all contenders */
export type Open = (stepsPerMs: number) => Promise<Session>;

/** A number of the last line's `ratios`. */
export type CellKey = Omit<KeySpec, 'cell'>;

/**
 * One thing that is measured of methods that compute. Each contender runs in a process of its own, loaded there only. Add a
 * file under `cells/` and name it in `cells.ts`.
 */
export interface Cell {
  readonly name: string;
  /** Unit of every metric. */
  readonly units: Readonly<Record<string, string>>;
  readonly keys: readonly CellKey[];
  /** The contender `inserve` runs on the other build as well, with `--against`. */
  readonly contenders: Readonly<Record<string, Open>>;
  /** Metric that is compared with the other build's, and what the ratio must reach. */
  readonly versusBefore?: { readonly key: string; readonly metric: string; readonly limit: Limit };
  /** Defaults for `--ms` and `--rounds`. */
  readonly ms: number;
  readonly rounds: number;
  /** Longest time that one measurement may take, in ms. */
  timeoutMs(ms: number): number;
}
