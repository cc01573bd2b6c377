import {
  type Declaration,
  type DeclaredApp,
  type DeclaredDeployment,
  DOCUMENT_FORMAT,
} from '../../cluster/documents.ts';
import type { AppSpec, DeploymentSpec } from '../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import { demandOf } from '../../deployment/options/resources.ts';
import type { Overrides } from '../../store/snapshot.ts';

/** What is declared of an app beside its spec. */
export interface DeclaredExtras {
  readonly routePrefix: string | null;
  /** Generation of the deletion that a later `run` here reverts; 0: none. */
  readonly lifts: number;
}

/** The declaration of an instance's apps, for the other instances of its fleet. */
export function declareApps(
  apps: Iterable<AppSpec>,
  codeVersion: string,
  trials: Overrides['trials'],
  extrasOf: (app: string) => DeclaredExtras,
): Declaration {
  const shares = new Map(Object.values(trials).map(({ app, share }) => [app, share]));
  const declared = [...apps].map(
    ({ name, deployments }): DeclaredApp => ({
      name,
      ...extrasOf(name),
      share: shares.get(name),
      deployments: deployments
        // Every instance has inline deployments of its own.
        .filter(({ options }) => ISOLATIONS[options.isolation].isReplicated)
        .map(declareDeployment),
    }),
  );
  return {
    format: DOCUMENT_FORMAT,
    codeVersion,
    apps: declared.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function declareDeployment({ name, fingerprint, version, options }: DeploymentSpec): DeclaredDeployment {
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
  };
}
