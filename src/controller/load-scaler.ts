import type { AutoscalingConfig, Bounds } from '../deployment/options/autoscaling-config.ts';
import {
  autoscale,
  initialState,
  type ScalingDecision,
  type ScalingInputs,
  type ScalingState,
  type Wish,
} from './autoscale.ts';
import { Demand, type LoadSample } from './demand.ts';

/** Samples the load of one deployment and decides from the samples, without any I/O. */
export class LoadScaler {
  #config: AutoscalingConfig;
  #demand: Demand;
  #state: ScalingState;
  #inputs: ScalingInputs | undefined = undefined;

  /** @param target initial number of replicas */
  constructor(config: AutoscalingConfig, target: number) {
    this.#config = config;
    this.#demand = new Demand(keepMs(config));
    this.#state = initialState(target);
  }

  /** Inputs of the next decision; undefined before the first sample. */
  get inputs(): ScalingInputs | undefined {
    return this.#inputs;
  }

  /** Applies another configuration. Samples are kept unless their periods change. */
  follow(config: AutoscalingConfig): void {
    if (keepMs(config) !== keepMs(this.#config)) this.#demand = new Demand(keepMs(config));
    this.#config = config;
  }

  sample(sample: LoadSample, bounds: Bounds): void {
    const { at, running, queued, ongoing } = sample;
    const { lookBackPeriodMs, panic, targetOngoingRequests } = this.#config;
    const panicMs = panic?.windowMs ?? lookBackPeriodMs;
    this.#demand.record(sample);
    this.#inputs = {
      at,
      running,
      queued,
      ongoing,
      load: this.#demand.load(at, lookBackPeriodMs),
      ended: this.#demand.endedIn(at, lookBackPeriodMs),
      panicLoad: this.#demand.arriving(at, panicMs, targetOngoingRequests),
      panicRunning: this.#demand.leastRunning(at, panicMs),
      bounds,
    };
  }

  /**
   * Decides from the last sample; undefined before the first one.
   * @param target current target; if it differs from this scaler's, the timers restart
   * @param wish result of the policy
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
