import { bucketMs, type Tally } from '../load/replica-tally.ts';

/**
 * Phase of the change of a deployment to a new version.
 * - `surging`: no replica of the new version runs yet
 * - `proving`: the first new replicas serve beside all replicas of the old version
 * - `shifting`: the old version is being replaced
 * - `watching`: the new version serves alone, and may still be rolled back
 * - `done`
 */
export type RolloutPhase = 'surging' | 'proving' | 'shifting' | 'watching' | 'done';

/** Counts of one version: its calls and its replicas' failures. */
export interface VersionRecord extends Tally {
  /** Replicas that died, or whose health checks failed, after they had come up. */
  readonly deaths: number;
}

export interface RolloutState {
  readonly phase: RolloutPhase;
  /** Time since which a replica of the new version runs, in ms. */
  readonly runningSince: number;
  /** Time at which the last call to either version ended, in ms. */
  readonly activeAt: number;
  /** Number of calls that had ended by then. */
  readonly calls: number;
  /** Number of calls of the old version that had ended when the first new replica ran. */
  readonly baselineCalls: number;
  /** Time since which the new version has had calls without a break, in ms. */
  readonly busySince: number;
}

export const ROLLOUT_BEGIN: RolloutState = {
  phase: 'surging',
  runningSince: 0,
  activeAt: 0,
  calls: 0,
  baselineCalls: 0,
  busySince: 0,
};

export interface RolloutView {
  readonly at: number;
  /** Replicas of the new version: the target, and those that run. */
  readonly target: number;
  readonly running: number;
  /** Replicas of the old version that have not been told to stop. */
  readonly old: number;
  /** Calls that run on the new version or wait. */
  readonly ongoing: number;
  readonly fresh: VersionRecord;
  readonly baseline: VersionRecord;
  /** Calls to the old version that ended since the rollout began. */
  readonly baselineCalls: number;
  /** Observation time of the new version from its first running replica on, in ms; 0 = a successful start is enough. */
  readonly observeMs: number;
  /** Whether all other deployments of the same change have reached the same phase. */
  readonly othersReady: boolean;
}

export interface RolloutStep {
  readonly state: RolloutState;
  /** Reason to reject the new version; undefined if there is no fault. */
  readonly fault: string | undefined;
}

/** Calls that the new version must have served well to take over before the time is up, even with no duration sampled. */
const ENOUGH_CALLS = 200;
/** Share of the observation time for which both versions serve side by side, at most. */
const PROVING_SHARE = 1 / 3;
/** Ended calls of the old version required before the hanging calls of the new one are compared with them. */
const MIN_BASELINE_CALLS = 20;
/** Multiples of the baseline p95 and maximum beyond which a call counts as hanging. */
const LONGER_THAN_MOST = 10;
const LONGER_THAN_ANY = 2;
/** Time without a call after which waiting yields no further evidence, in ms. */
const IDLE_MS = 250;

/** One step of a rollout. Called on every change and every 250 ms. */
export function rollOut(state: RolloutState, view: RolloutView): RolloutStep {
  const { at, observeMs } = view;
  const calls = view.fresh.calls + view.baseline.calls;
  const busySince = view.ongoing === 0 ? at : state.busySince;
  const seen = calls === state.calls ? { ...state, busySince } : { ...state, busySince, calls, activeAt: at };
  if (seen.phase === 'done') return { state: seen, fault: undefined };
  if (seen.phase === 'surging') {
    if (view.old > 0 && view.running === 0 && view.target > 0) return { state: seen, fault: undefined };
    const isTrial = observeMs > 0 || !view.othersReady;
    const phase = view.old > 0 && view.running > 0 && isTrial ? 'proving' : 'shifting';
    const { baselineCalls } = view;
    return rollOut({ ...seen, phase, runningSince: at, activeAt: at, busySince: at, baselineCalls }, view);
  }
  const fault = observeMs > 0 ? faultNow(seen, view) : undefined;
  if (fault !== undefined) return { state: seen, fault };
  return { state: { ...seen, phase: nextPhase(seen, view) }, fault: undefined };
}

/** Whether the new version has proved itself, regardless of the other deployments. */
export function isProved(state: RolloutState, view: RolloutView): boolean {
  const { runningSince, activeAt } = state;
  const { at, observeMs, fresh, ongoing } = view;
  return (
    observeMs === 0 ||
    fresh.calls >= ENOUGH_CALLS ||
    durations(fresh) >= LEAST_DURATIONS ||
    (at - runningSince >= observeMs * PROVING_SHARE && !isHanging(state, view)) ||
    (ongoing === 0 && at - activeAt >= IDLE_MS && !isSuspect(view))
  );
}

/** All calls of the new version failed, too few of them for a judgement, and those of the old version did not. */
function isSuspect({ fresh, baseline }: RolloutView): boolean {
  return fresh.failures > 0 && fresh.failures === fresh.calls && baseline.failures < baseline.calls;
}

function faultNow(state: RolloutState, view: RolloutView): string | undefined {
  const hasCompany = state.phase !== 'watching';
  const fault = faultOf(view.fresh, view.baseline, hasCompany);
  const ms = view.at - state.runningSince;
  if (fault !== undefined || !hasCompany || ms < view.observeMs || !isHanging(state, view)) return fault;
  if (view.at - state.busySince <= LONGER_THAN_ANY * quantileMs(view.baseline, 1)) return undefined;
  return `none of its calls ended in ${Math.round(ms / 1_000)} s`;
}

/**
 * Detects hanging calls: calls begin and none ends, while calls to the old version end, or ended much sooner. Their deadlines
 * may be far away, and callers that wait for an answer send no further calls.
 */
function isHanging({ baselineCalls, busySince }: RolloutState, view: RolloutView): boolean {
  const { at, fresh, baseline, ongoing } = view;
  if (fresh.calls > 0 || ongoing === 0) return false;
  if (view.baselineCalls - baselineCalls >= MIN_BASELINE_CALLS) return true;
  return (
    durations(baseline) >= MIN_BASELINE_CALLS &&
    at - busySince > LONGER_THAN_MOST * quantileMs(baseline, 0.95)
  );
}

function nextPhase(state: RolloutState, view: RolloutView): RolloutPhase {
  const { at, target, running, old, observeMs, othersReady } = view;
  switch (state.phase) {
    case 'proving':
      return othersReady && isProved(state, view) ? 'shifting' : 'proving';
    case 'shifting':
      return running >= target && old === 0 ? 'watching' : 'shifting';
    case 'watching':
      return at - state.runningSince >= observeMs ? 'done' : 'watching';
    default:
      return state.phase;
  }
}

/** Standard errors by which two failure rates must differ: four, because the test is repeated often. */
const Z = 4;
/** Minimum number of failed calls for a comparison. */
const LEAST_FAILURES = 3;
/** Differences of failure rates that never justify a rollback. */
const TOLERANCE = 0.01;
/** Failure rate that is bad in itself when no call of the old version exists for comparison. */
const RATE_LIMIT = 0.05;
const LEAST_DEATHS = 2;
/** Factor by which the median duration may exceed that of the old version side by side. */
const SLOWER_BY = 3;
const SLOWER_BY_MS = 2;
const LEAST_DURATIONS = 50;

/** Minimum number of calls from the same period. */
const LEAST_RECENT = 50;

/**
 * Selects the baseline: calls to the previous version at the same time, since both versions suffer alike when a shared
 * dependency fails. While these are few, all calls that it ever served count. Durations are always from the same period.
 */
export function baselineOf(recent: Tally, all: Tally): Tally {
  const { calls, failures } = recent.calls < LEAST_RECENT ? all : recent;
  return { calls, failures, latencies: recent.latencies };
}

/**
 * Finds the fault of a version compared with the one before: its replicas die, more calls fail, or calls take longer.
 * Failure rates are compared by the two-proportion z-test (pooled), or by Wilson's lower bound where the old version
 * served nothing.
 *
 * @param hasCompany whether both versions serve side by side: durations from different periods are not comparable
 */
export function faultOf(
  fresh: VersionRecord,
  baseline: VersionRecord,
  hasCompany: boolean,
): string | undefined {
  if (fresh.deaths >= LEAST_DEATHS && fresh.deaths > baseline.deaths) {
    return `${fresh.deaths} of its replicas died`;
  }
  if (failsMoreOften(fresh, baseline)) {
    const before = baseline.calls === 0 ? '' : ` (before: ${baseline.failures} of ${baseline.calls})`;
    return `${fresh.failures} of ${fresh.calls} calls failed${before}`;
  }
  return hasCompany ? slowness(fresh, baseline) : undefined;
}

function failsMoreOften(fresh: Tally, baseline: Tally): boolean {
  const { calls: n1, failures: f1 } = fresh;
  const { calls: n0, failures: f0 } = baseline;
  if (f1 < LEAST_FAILURES) return false;
  if (n0 === 0) return wilsonLower(f1 / n1, n1) > RATE_LIMIT;
  const difference = f1 / n1 - f0 / n0;
  if (difference <= TOLERANCE) return false;
  const pooled = (f1 + f0) / (n1 + n0);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0));
  // Without an error, every call of both versions failed or none did, so the rates do not differ.
  return difference > Z * error;
}

/** Lower bound of a rate (Wilson 1927). */
function wilsonLower(rate: number, n: number): number {
  const z2 = (Z * Z) / n;
  return (rate + z2 / 2 - Math.sqrt(z2 * (rate * (1 - rate) + z2 / 4))) / (1 + z2);
}

function slowness(fresh: Tally, baseline: Tally): string | undefined {
  const [now, before] = [medianMs(fresh), medianMs(baseline)];
  if (now === undefined || before === undefined) return undefined;
  if (now <= before * SLOWER_BY || now <= before + SLOWER_BY_MS) return undefined;
  return `its calls take ${now.toPrecision(2)} ms (before: ${before.toPrecision(2)} ms; medians)`;
}

/** Number of durations sampled. */
function durations({ latencies }: Tally): number {
  return latencies.reduce((sum, count) => sum + count, 0);
}

/** The median duration; undefined if there are too few samples. */
function medianMs(tally: Tally): number | undefined {
  return durations(tally) < LEAST_DURATIONS ? undefined : quantileMs(tally, 0.5);
}

/** Upper bound of the bucket that holds a quantile; 0 for an empty histogram. */
function quantileMs(tally: Tally, share: number): number {
  const total = durations(tally);
  if (total === 0) return 0;
  let below = 0;
  const bucket = tally.latencies.findIndex((count) => {
    below += count;
    return below >= total * share;
  });
  return bucketMs(bucket);
}
