import type { AutoscalingConfig, Bounds } from '../deployment/options/autoscaling-config.ts';

/** Inputs of a decision. Times are those of the instance's clock, in ms. */
export interface ScalingInputs {
  readonly at: number;
  /** Running replicas. */
  readonly running: number;
  /** Calls that wait now. */
  readonly queued: number;
  /** Calls that hold a place at a running replica now. */
  readonly ongoing: number;
  /** Waiting and running calls, averaged over `lookBackPeriodMs`; calls that no longer wait are left out. */
  readonly load: number;
  /** Calls that ended during `lookBackPeriodMs`. */
  readonly ended: number;
  /** Load of the calls that arrive in the panic window; at most their mean number. */
  readonly panicLoad: number;
  /** The fewest replicas that ran at once during the panic window. */
  readonly panicRunning: number;
  readonly bounds: Bounds;
}

/** State kept between two decisions. */
export interface ScalingState {
  readonly target: number;
  /** Time since which more replicas are wanted. */
  readonly upSince: number | undefined;
  /** Time since which fewer replicas are wanted. */
  readonly downSince: number | undefined;
}

/** A decision with all its inputs. */
export interface ScalingDecision {
  /** The target before. */
  readonly from: number;
  /** The target from now on. */
  readonly to: number;
  /** Replicas wanted, within the bounds, before any delay. */
  readonly desired: number;
  /** Reason of the decision in words. */
  readonly reason: string;
  readonly inputs: ScalingInputs;
}

/** Number of replicas that a policy wants, or the reason why nothing changes. */
export type Wish = number | { readonly hold: string };

export interface Scaled {
  readonly state: ScalingState;
  readonly decision: ScalingDecision;
}

/** The slack of Ray's timer comparison, in ms; and the slack of a quotient that should be whole: 3 × 0.1 / 0.1 is not 3. */
const EPSILON = 1e-6;

/** A new target starts with no timer running. */
export function initialState(target: number): ScalingState {
  return { target, upSince: undefined, downSince: undefined };
}

/** Whether calls wait and no replica runs. No policy is asked in this case. */
export function isColdStart({ running, queued }: ScalingInputs): boolean {
  return running === 0 && queued > 0;
}

/**
 * Whether the load of the panic window exceeds `threshold` times the intended load of the replicas that ran then. A panic
 * therefore lasts until the window holds nothing from before the first new replica ran: a mean follows a step of the load
 * only in proportion to how much of its window the step fills, and new replicas must not stop the panic halfway.
 */
export function isPanicking(
  { panic, targetOngoingRequests }: AutoscalingConfig,
  inputs: ScalingInputs,
): boolean {
  if (panic === undefined || inputs.running === 0) return false;
  return inputs.panicLoad + EPSILON >= panic.threshold * inputs.panicRunning * targetOngoingRequests;
}

/** The load that counts. In a panic only arriving calls count: waiting calls merely lack replicas. */
export function loadThatCounts(config: AutoscalingConfig, inputs: ScalingInputs): number {
  return isPanicking(config, inputs) ? inputs.panicLoad : inputs.load;
}

/**
 * Fraction of a replica that is wanted at least while calls arrive: quick calls begin and end between two samples, unseen by
 * any of them.
 */
const LEAST_WANTED = 0.01;

/** The default policy: as many replicas as carry the load with `targetOngoingRequests` each. */
export function replicasForLoad(config: AutoscalingConfig, target: number, inputs: ScalingInputs): number {
  if (inputs.running === 0) return target;
  const wanted = loadThatCounts(config, inputs) / config.targetOngoingRequests;
  return inputs.ended > 0 ? Math.max(wanted, LEAST_WANTED) : wanted;
}

/**
 * Makes one decision about one deployment: Ray Serve's (`autoscaling_policy.py`: cold start, core, factors, from zero, delays,
 * bounds, in this order) and the panic window, which skips the up-delay.
 *
 * @param wish result of the policy
 */
export function autoscale(
  config: AutoscalingConfig,
  state: ScalingState,
  inputs: ScalingInputs,
  wish: Wish,
): Scaled {
  const { bounds, running, queued } = inputs;
  const target = clip(state.target, bounds);
  if (isColdStart(inputs)) {
    const desired = clip(Math.max(ceil(config.upscalingFactor), target), bounds);
    return at(desired, desired, `cold start: ${queued} calls wait and no replica runs`);
  }
  if (target !== state.target) return at(target, target, `the bounds are ${bounds.min}…${bounds.max} now`);
  if (typeof wish === 'object') return decided(state, inputs, state, target, wish.hold);
  const factored = withFactors(config, wish, running);
  // The last replica stops only when no load at all is left, and only from one replica. In a panic no replica stops: the
  // mean of the panic window may follow a step of the load more slowly than the other mean.
  const least = isPanicking(config, inputs) ? target : target > 1 ? 1 : factored;
  const desired = clip(Math.max(factored, least), bounds);
  const why = describe(config, inputs, wish, factored, bounds);
  if (running === 0 && desired > 0) return at(desired, desired, why);
  return delayed(config, state, inputs, desired, why);

  function at(next: number, desired: number, reason: string): Scaled {
    return decided(state, inputs, initialState(next), desired, reason);
  }
}

/** As in Ray, a small factor never keeps a deployment from shrinking. */
function withFactors(config: AutoscalingConfig, wanted: number, running: number): number {
  if (running === 0) return ceil(wanted);
  const delta = wanted - running;
  const factor = delta > 0 ? config.upscalingFactor : config.downscalingFactor;
  const factored = ceil(running + factor * delta);
  return ceil(wanted) < running && factored === running ? factored - 1 : factored;
}

/** Applies a change once it was wanted for the delay; the newest wish is applied. An opposite wish restarts the timer. */
function delayed(
  config: AutoscalingConfig,
  state: ScalingState,
  inputs: ScalingInputs,
  desired: number,
  why: string,
): Scaled {
  const { target } = state;
  const apply = (reason: string): Scaled => decided(state, inputs, initialState(desired), desired, reason);
  const wait = (next: ScalingState, delayMs: number, since: number): Scaled => {
    const waited = Math.round(inputs.at - since);
    return decided(state, inputs, next, desired, `${why}; wanted for ${waited} of ${delayMs} ms`);
  };
  if (desired === target) return decided(state, inputs, initialState(target), desired, why);
  if (desired > target) {
    if (isPanicking(config, inputs)) return apply(`panic: ${why}`);
    const since = state.upSince ?? inputs.at;
    if (inputs.at - since + EPSILON >= config.upscaleDelayMs) return apply(why);
    return wait({ target, upSince: since, downSince: undefined }, config.upscaleDelayMs, since);
  }
  const since = state.downSince ?? inputs.at;
  if (inputs.at - since + EPSILON >= config.downscaleDelayMs) return apply(why);
  return wait({ target, upSince: undefined, downSince: since }, config.downscaleDelayMs, since);
}

function decided(
  before: ScalingState,
  inputs: ScalingInputs,
  state: ScalingState,
  desired: number,
  reason: string,
): Scaled {
  return { state, decision: { from: before.target, to: state.target, desired, reason, inputs } };
}

function describe(
  { targetOngoingRequests }: AutoscalingConfig,
  inputs: ScalingInputs,
  wanted: number,
  factored: number,
  { min, max }: Bounds,
): string {
  const load = Number(inputs.load.toFixed(2));
  const limit = factored > max ? `, at most ${max}` : factored < min ? `, at least ${min}` : '';
  const asked = Number(wanted.toFixed(2));
  return `load ${load} (${targetOngoingRequests} per replica), ${inputs.running} running: ${asked} wanted${limit}`;
}

function clip(replicas: number, { min, max }: Bounds): number {
  return Math.min(Math.max(replicas, min), max);
}

function ceil(value: number): number {
  return Math.ceil(value - EPSILON);
}
