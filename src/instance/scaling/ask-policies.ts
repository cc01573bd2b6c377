import type { Wish } from '../../controller/autoscale.ts';
import { readAppPolicyResult, readPolicyResult, type Wanted } from '../../controller/policy.ts';
import type {
  AppAutoscalingPolicy,
  AutoscalingContext,
  AutoscalingPolicy,
} from '../../deployment/options/autoscaling-policy.ts';
import type { FaultReports } from './fault-reports.ts';

/** A decision that changes nothing, with its reason. */
export type Hold = Exclude<Wish, number>;

/** Asks the policy of one deployment. @param context undefined if no policy must be asked */
export function askPolicy(
  policy: AutoscalingPolicy,
  context: AutoscalingContext | undefined,
  faults: FaultReports,
): Wanted | Hold {
  if (context === undefined) return { hold: 'no policy was asked' };
  const wanted = faults.attempt('autoscaling policy', () =>
    readPolicyResult(policy(context), context.policyState),
  );
  return wanted ?? { hold: 'the policy failed' };
}

/**
 * Asks the policy of an app about all its autoscaled deployments.
 * @param contexts by deployment; a context is undefined if no policy must be asked
 * @returns the wish for a deployment
 */
export function askAppPolicy(
  policy: AppAutoscalingPolicy,
  contexts: ReadonlyMap<string, AutoscalingContext | undefined>,
  faults: FaultReports,
): (deployment: string) => Wanted | Hold {
  const asked: Record<string, AutoscalingContext> = {};
  for (const [name, context] of contexts) if (context !== undefined) asked[name] = context;
  const wishes = faults.attempt("the app's autoscaling policy", () =>
    readAppPolicyResult(policy(asked), asked),
  );
  const hold = wishes === undefined ? "the app's policy failed" : "the app's policy returned no entry for it";
  return (deployment) => wishes?.get(deployment) ?? { hold };
}
