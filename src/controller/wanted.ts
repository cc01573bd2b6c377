import type { DeploymentSpec } from '../deployment/app-spec.ts';
import { ISOLATIONS } from '../deployment/options/isolations.ts';
import { type RouteKey, routeKey } from '../handle/routing/directory.ts';
import { entryOf, plannedReplicas, type Snapshot } from '../store/snapshot.ts';
import { type TargetOptions, targetOf, withScale } from './target-capacity.ts';

/** A deployment whose replicas the controller counts. */
export interface WantedDeployment {
  readonly key: RouteKey;
  readonly app: string;
  readonly spec: DeploymentSpec;
  /** Its options, with the overrides applied. */
  readonly scaling: TargetOptions;
  /** Replicas on all instances, as the options say; those of an autoscaled deployment then follow the load. */
  readonly target: number;
  /** Instances that declare the deployment. */
  readonly instances: readonly string[];
}

/**
 * Lists the deployments that some instance declares. Inline ones are left out: every caller thread has its own replica of
 */
export function wantedDeployments(snapshot: Snapshot): WantedDeployment[] {
  const { declarations, overrides } = snapshot;
  const wanted = new Map<RouteKey, WantedDeployment & { readonly instances: string[] }>();
  for (const [instance, { apps }] of Object.entries(declarations)) {
    for (const { name: app, deployments } of Object.values(apps)) {
      for (const spec of deployments) {
        if (!ISOLATIONS[spec.options.isolation].isReplicated) continue;
        const key = routeKey(app, spec.name);
        const known = wanted.get(key);
        if (known !== undefined) {
          known.instances.push(instance);
          continue;
        }
        const scaling = withScale(spec.options, entryOf(overrides.scales, key));
        const target = targetOf(scaling, overrides.capacity, plannedReplicas(snapshot, key));
        wanted.set(key, { key, app, spec, scaling, target, instances: [instance] });
      }
    }
  }
  return [...wanted.values()];
}
