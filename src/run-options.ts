import { APP_NAME, ROUTE_PREFIX } from './deployment/app-config.ts';
import type { AppAutoscalingPolicy } from './deployment/options/autoscaling-policy.ts';
import { TRIAL_FIELDS, type TrialOptions } from './deployment/options/trial-options.ts';
import { type Fields, fn, isPlainObject, parseOptions } from './validation/fields.ts';

export interface RunOptions extends TrialOptions {
  /** Name of the app. Default: the name of the ingress deployment. */
  name?: string;
  /** Path at which `middleware()` without an app serves it; `null` = nowhere. Default `'/'`, or nowhere if its ingress answers no HTTP. */
  routePrefix?: string | null;
  /**
   * Decides about the replicas of all autoscaled deployments of the app at once, instead of their own policies. It runs on
   * the host's thread.
   */
  autoscalingPolicy?: AppAutoscalingPolicy;
}

const FIELDS: Fields<RunOptions> = {
  name: APP_NAME,
  routePrefix: ROUTE_PREFIX,
  ...TRIAL_FIELDS,
  autoscalingPolicy: fn<AppAutoscalingPolicy>(),
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseRunOptions(options: unknown): RunOptions {
  if (!isPlainObject(options) || options['routePrefix'] !== null) return parseOptions(options, FIELDS, 'run');
  return {
    ...parseOptions<RunOptions>({ ...options, routePrefix: undefined }, FIELDS, 'run'),
    routePrefix: null,
  };
}
