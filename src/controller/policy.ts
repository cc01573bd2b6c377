import type { AutoscalingContext } from '../deployment/options/autoscaling-policy.ts';

/** The decision of a policy. */
export interface Wanted {
  readonly replicas: number;
  readonly state: unknown;
}

/** Checks the result of a policy. @throws TypeError for a result that no policy may return */
export function readPolicyResult(result: unknown, before: unknown): Wanted {
  if (typeof result === 'number') return { replicas: replicasIn(result), state: before };
  if (typeof result !== 'object' || result === null || !('replicas' in result)) throw notAResult(result);
  return { replicas: replicasIn(result.replicas), state: 'state' in result ? result.state : before };
}

/** Checks the result of an app's policy. @throws TypeError */
export function readAppPolicyResult(
  result: unknown,
  contexts: Readonly<Record<string, AutoscalingContext>>,
): Map<string, Wanted> {
  if (typeof result !== 'object' || result === null || typeof Reflect.get(result, 'then') === 'function')
    throw new TypeError(`the app's policy returned ${describe(result)}, not an object by deployment`);
  return new Map(
    Object.entries(result).map(([name, one]) => {
      const context = contexts[name];
      if (context !== undefined) return [name, readPolicyResult(one, context.policyState)];
      const known = Object.keys(contexts).join(', ');
      throw new TypeError(`the app's policy decided about '${name}'; autoscaled are ${known}`);
    }),
  );
}

function replicasIn(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw notAResult(value);
}

function notAResult(value: unknown): TypeError {
  return new TypeError(`the policy returned ${describe(value)}, not a number ≥ 0 or { replicas, state }`);
}

function describe(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
