import { type DeploymentOptions, type ResolvedOptions, resolveOptions } from './deployment-options.ts';

/**
 * Resolves the options of a deployment where all run on the caller's own event loop. Left out is what only replicas in
 * threads of their own can have: a number, autoscaling, resources, hedging. Values are copied unless the deployment itself is
 * inline.
 */
export function resolveInline(options: DeploymentOptions): ResolvedOptions {
  const { numReplicas: _1, autoscaling: _2, resources: _3, hedge: _4, isolation, ...rest } = options;
  return { ...resolveOptions(rest), isolation: isolation === 'inline' ? 'inline' : 'inline-copied' };
}
