import type { ConfiguredCounts } from '../../cluster/documents.ts';
import { autoscalingOf } from '../../deployment/options/autoscaling-options.ts';
import type { DeploymentOptions } from '../../deployment/options/deployment-options.ts';
import { invalidOption } from '../../errors.ts';

/** The options of a config for one deployment, as the whole fleet gets them. */
export interface SharedOptions {
  readonly options: Readonly<Record<string, unknown>>;
  readonly counts: ConfiguredCounts;
}

/**
 * The options of a config for one deployment, as they may travel.
 *
 * @param path position of the options in the config
 * @throws ServeError `SERVE_INVALID_OPTION` for an option that must not leave the instance
 */
export function sharedOptions(changes: DeploymentOptions, path: string): SharedOptions {
  const { numReplicas, autoscaling, minReplicasPerInstance, maxReplicasPerInstance, ...rest } = changes;
  if (rest.env !== undefined)
    throw invalidOption(
      `${path}.env`,
      rest.env,
      'in a fleet, to be set where deployment() is called, since Redis would store it',
    );
  if (autoscaling?.policy !== undefined)
    throw invalidOption(
      `${path}.autoscaling.policy`,
      autoscaling.policy,
      'in a fleet, to be set where deployment() is called, since a function cannot be sent to other instances',
    );
  const perInstance = {
    ...(minReplicasPerInstance !== undefined && { minReplicasPerInstance }),
    ...(maxReplicasPerInstance !== undefined && { maxReplicasPerInstance }),
  };
  const counts = { ...countsOf(numReplicas, autoscaling), ...perInstance };
  return { options: { ...rest, ...perInstance }, counts };
}

function countsOf(
  numReplicas: DeploymentOptions['numReplicas'],
  given: DeploymentOptions['autoscaling'],
): ConfiguredCounts {
  const resolved = autoscalingOf(numReplicas, given);
  if (resolved !== undefined) {
    const { policy: _, ...autoscaling } = resolved;
    return { numReplicas: autoscaling.initialReplicas ?? autoscaling.minReplicas, autoscaling };
  }
  return typeof numReplicas === 'number' ? { numReplicas } : {};
}
