/** Time without a crash after which the back-off of a deployment starts from zero again, in ms. */
export const HEALTHY_AFTER_MS = 60_000;

export interface RestartPolicy {
  /** Crashes within `windowMs` until the deployment counts as unhealthy. */
  readonly maxCrashes: number;
  readonly windowMs: number;
  /** Longest pause between two starts; also the period of the probes of an unhealthy deployment. */
  readonly maxDelayMs: number;
}

/** Times of the crashes and failed starts of a deployment, oldest first, in ms. */
export type CrashHistory = readonly number[];

/** Adds a crash to the history and drops entries that are too old to count. */
export function recordCrash(history: CrashHistory, at: number): CrashHistory {
  const last = history.at(-1);
  const recent = last !== undefined && at - last > HEALTHY_AFTER_MS ? [] : history;
  return [...recent.slice(-99), at];
}

/**
 * Time at which the next replica may start: Fibonacci back-off 0, 1, 1, 2, 3, 5 … s after each crash in a row (TorchServe's
 * schedule), and one probe per `maxDelayMs` once the crash budget is spent.
 */
export function nextStartAt(history: CrashHistory, policy: RestartPolicy, now: number): number {
  const last = history.at(-1);
  if (last === undefined || now - last > HEALTHY_AFTER_MS) return 0;
  if (isOverBudget(history, policy, now)) return last + policy.maxDelayMs;
  return last + Math.min(fibonacci(history.length - 1) * 1_000, policy.maxDelayMs);
}

/** Whether the deployment crashes too often to be called healthy. */
export function isOverBudget(history: CrashHistory, policy: RestartPolicy, now: number): boolean {
  return history.filter((at) => now - at <= policy.windowMs).length >= policy.maxCrashes;
}

function fibonacci(index: number): number {
  let [a, b] = [0, 1];
  for (let step = 0; step < index; step++) [a, b] = [b, a + b];
  return a;
}
