import { isColdStart, loadThatCounts, type ScalingInputs } from '../../controller/autoscale.ts';
import type { AutoscalingConfig } from '../../deployment/options/autoscaling-config.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';
import type { StatWindows } from './stat-windows.ts';

/** The load that a policy decides by. */
export interface PolicyInputs {
  readonly config: AutoscalingConfig;
  /** Current target number of replicas. */
  readonly target: number;
  readonly inputs: ScalingInputs;
  /** Ids of the replicas that run. */
  readonly running: readonly string[];
  /** Values of `recordAutoscalingStats()`. */
  readonly stats: Pick<StatWindows, 'read'>;
}

/** State of the policy of one deployment between two decisions. */
export class PolicyMemory {
  readonly #app: string;
  readonly #deployment: string;
  #lastUp: number | undefined = undefined;
  #lastDown: number | undefined = undefined;
  /** The last state that the policy returned. */
  state: unknown = undefined;

  constructor(app: string, deployment: string) {
    this.#app = app;
    this.#deployment = deployment;
  }

  /** The target number of replicas changed. @param time a timestamp like `Date.now()` */
  changed(from: number, to: number, time: number): void {
    if (to > from) this.#lastUp = time;
    if (to < from) this.#lastDown = time;
  }

  /**
   * The context of the policy; undefined at a cold start, about which no policy is asked.
   * @param currentTime a timestamp like `Date.now()`
   */
  context(
    { config, target, inputs, running, stats }: PolicyInputs,
    currentTime: number,
  ): AutoscalingContext | undefined {
    if (isColdStart(inputs)) return undefined;
    const { at, queued, ongoing, bounds } = inputs;
    return {
      appName: this.#app,
      deploymentName: this.#deployment,
      currentNumReplicas: inputs.running,
      targetNumReplicas: target,
      runningReplicas: running,
      totalNumRequests: loadThatCounts(config, inputs),
      totalQueuedRequests: queued,
      totalRunningRequests: ongoing,
      ...stats.read(at, config.lookBackPeriodMs, (time) => Math.round(currentTime + time - at)),
      capacityAdjustedMinReplicas: bounds.min,
      capacityAdjustedMaxReplicas: bounds.max,
      policyState: this.state,
      lastScaleUpTime: this.#lastUp,
      lastScaleDownTime: this.#lastDown,
      currentTime,
      config,
    };
  }
}
