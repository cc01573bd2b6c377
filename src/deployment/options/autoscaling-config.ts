/** The panic window: scaling reacts without delay to a load far beyond the capacity. */
export interface PanicWindow {
  /** Period over which the load is averaged, in ms. Default 2 000. */
  readonly windowMs: number;
  /** Multiple of the intended load of the running replicas from which on a panic starts. Default 2. */
  readonly threshold: number;
}

/** Scaling options of one deployment, with every default filled in. */
export interface AutoscalingConfig {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** undefined means `minReplicas`. */
  readonly initialReplicas: number | undefined;
  readonly targetOngoingRequests: number;
  readonly upscaleDelayMs: number;
  readonly downscaleDelayMs: number;
  readonly upscalingFactor: number;
  readonly downscalingFactor: number;
  readonly lookBackPeriodMs: number;
  readonly metricsIntervalMs: number;
  readonly panic: PanicWindow | undefined;
}

/** Least and most replicas at the target capacity. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}
