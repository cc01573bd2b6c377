import type { AutoscalingConfig, Bounds } from '../deployment/autoscaling-config.ts';
import {
  autoscale,
  initialState,
  type ScalingDecision,
  type ScalingInputs,
  type ScalingState,
  type Wish,
} from './autoscale.ts';
import { LoadWindow } from './load-window.ts';

/** What is seen of a deployment at one time. */
export interface LoadSample {
  readonly at: number;
  /** Running replicas, for the decision. */
  readonly running: number;
  readonly queued: number;
  readonly ongoing: number;
  readonly bounds: Bounds;
}

/** The sampled load of one deployment and the decisions made from it, without any I/O. */
export class LoadScaler {
  #config: AutoscalingConfig;
  /** Calls that wait or run. */
  #calls: LoadWindow;
  #replicas: LoadWindow;
  #state: ScalingState;
  #inputs: ScalingInputs | undefined = undefined;

  /** @param target replicas that are wanted at first */
  constructor(config: AutoscalingConfig, target: number) {
    this.#config = config;
    this.#calls = new LoadWindow(keepMs(config));
    this.#replicas = new LoadWindow(keepMs(config));
    this.#state = initialState(target);
  }

  /** What the next decision is made from; undefined before the first sample. */
  get inputs(): ScalingInputs | undefined {
    return this.#inputs;
  }

  /** Takes another configuration. Samples are kept unless their periods change. */
  follow(config: AutoscalingConfig): void {
    if (keepMs(config) !== keepMs(this.#config)) {
      this.#calls = new LoadWindow(keepMs(config));
      this.#replicas = new LoadWindow(keepMs(config));
    }
    this.#config = config;
  }

  sample({ at, running, queued, ongoing, bounds }: LoadSample): void {
    const { lookBackPeriodMs, panic } = this.#config;
    const panicMs = panic?.windowMs ?? lookBackPeriodMs;
    this.#calls.record(at, queued + ongoing);
    // Without any replica it is a cold start, not a panic: the first one that runs is what the load is compared with.
    if (running > 0) this.#replicas.record(at, running);
    this.#inputs = {
      at,
      running,
      queued,
      ongoing,
      load: this.#calls.mean(at, lookBackPeriodMs),
      panicLoad: this.#calls.mean(at, panicMs),
      panicRunning: this.#replicas.least(at, panicMs),
      bounds,
    };
  }

  /**
   * Decides from the last sample; undefined before the first one.
   * @param target replicas that are wanted now; another target than this scaler's starts its timers anew
   * @param wish what the policy says
   */
  decide(target: number, wish: Wish): ScalingDecision | undefined {
    if (this.#inputs === undefined) return undefined;
    const state = this.#state.target === target ? this.#state : initialState(target);
    const scaled = autoscale(this.#config, state, this.#inputs, wish);
    this.#state = scaled.state;
    return scaled.decision;
  }
}

export function keepMs({ lookBackPeriodMs, panic }: AutoscalingConfig): number {
  return Math.max(lookBackPeriodMs, panic?.windowMs ?? 0);
}
