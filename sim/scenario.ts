export interface ScenarioOptions {
  readonly seed: number;
  /** Virtual time to simulate, as a share of the full run. */
  readonly scale: number;
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
