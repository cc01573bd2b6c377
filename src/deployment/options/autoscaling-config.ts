/** The panic window: a load far beyond the capacity is acted upon without delay. */
export interface PanicWindow {
  /** Over which the load is averaged. Default 2 000. */
  readonly windowMs: number;
  /** Multiple of what the running replicas are meant to carry. Default 2. */
  readonly threshold: number;
}

/** How one deployment scales, every default filled in. */
export interface AutoscalingConfig {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** undefined: `minReplicas`. */
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

/** Least and most replicas, at the target capacity. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}
