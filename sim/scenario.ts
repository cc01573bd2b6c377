export interface ScenarioOptions {
  readonly seed: number;
  /** Virtual time to simulate, as a share of the full run. */
  readonly scale: number;
}

/** Below this scale a run has only every other case. */
const BRIEF = 0.1;

/** The cases of a run. */
export function casesOf<T>(all: readonly T[], { scale }: ScenarioOptions): readonly T[] {
  return scale < BRIEF ? all.filter((_, index) => index % 2 === 0) : all;
}

/** One number, and what it must reach. */
export interface Measured {
  /** Without `sim.`. */
  readonly key: string;
  readonly value: number;
  /** The value must not be higher, or not be lower. Neither: it is reported only. */
  readonly most?: number;
  readonly least?: number;
}

export interface Outcome {
  readonly measured: readonly Measured[];
  /** What the numbers were made of, one line each. */
  readonly details: readonly string[];
}

export interface Scenario {
  readonly name: string;
  run(options: ScenarioOptions): Promise<Outcome>;
}

export function isMet({ value, most = Infinity, least = -Infinity }: Measured): boolean {
  return value <= most && value >= least;
}
