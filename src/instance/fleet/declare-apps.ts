import {
  type Declaration,
  type DeclaredApp,
  type DeclaredDeployment,
  DOCUMENT_FORMAT,
} from '../../cluster/documents.ts';
import type { AppSpec, DeploymentSpec } from '../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import { demandOf } from '../../deployment/options/resources.ts';
import { type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { Overrides } from '../../store/snapshot.ts';

/** Parts of a declaration other than the specs of the apps. */
export interface DeclaredExtras {
  routePrefixOf(app: string): string | null;
  /** Generation of the deletion that a later `run` here reverts; 0: none. */
  liftsOf(app: string): number;
  /** Generation of the config whose options a deployment has; 0: none. */
  configuredOf(key: RouteKey): number;
  policyOf(app: string, deployment: string): DeclaredDeployment['policy'];
}

/** The declaration of an instance's apps, for the other instances of its fleet. */
export function declareApps(
  apps: Iterable<AppSpec>,
  codeVersion: string,
  trials: Overrides['trials'],
  extras: DeclaredExtras,
): Declaration {
  const tried = new Map(
    Object.entries(trials).map(([of, { app, kind, share, seed }]) => [app, { of, kind, share, seed }]),
  );
  const declared = [...apps].map(
    ({ name, deployments }): DeclaredApp => ({
      name,
      routePrefix: extras.routePrefixOf(name),
      lifts: extras.liftsOf(name),
      trial: tried.get(name),
      deployments: deployments
        // Every instance has inline deployments of its own.
        .filter(({ options }) => ISOLATIONS[options.isolation].isReplicated)
        .map((spec) => declareDeployment(name, spec, extras)),
    }),
  );
  return {
    format: DOCUMENT_FORMAT,
    codeVersion,
    apps: declared.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function declareDeployment(
  app: string,
  { name, fingerprint, version, options }: DeploymentSpec,
  extras: DeclaredExtras,
): DeclaredDeployment {
  const policy = extras.policyOf(app, name);
  const { numReplicas, autoscaling, minReplicasPerInstance, maxReplicasPerInstance, resources } = options;
  return {
    name,
    fingerprint,
    version,
    numReplicas,
    autoscaling,
    minReplicasPerInstance,
    maxReplicasPerInstance: Number.isFinite(maxReplicasPerInstance) ? maxReplicasPerInstance : undefined,
    demand: demandOf(resources),
    methods: [],
    moduleHash: '',
    configured: extras.configuredOf(routeKey(app, name)),
    ...(policy && { policy }),
  };
}
