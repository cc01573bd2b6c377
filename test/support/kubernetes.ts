import { readFileSync } from 'node:fs';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';

/** A file of manifests names the kind of each. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

interface Kind {
  readonly Schema: new (data: never) => { validate(): void };
  /** The module of its type. */
  readonly module: string;
}

/** The schemas of Kubernetes' own API. */
const KINDS: Readonly<Record<string, Kind>> = {
  'apps/v1 Deployment': { Schema: Deployment, module: 'kubernetes-models/apps/v1/Deployment' },
  'v1 Secret': { Schema: Secret, module: 'kubernetes-models/v1/Secret' },
  'networking.k8s.io/v1 NetworkPolicy': {
    Schema: NetworkPolicy,
    module: 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy',
  },
  'v1 Service': { Schema: Service, module: 'kubernetes-models/v1/Service' },
  'policy/v1 PodDisruptionBudget': {
    Schema: PodDisruptionBudget,
    module: 'kubernetes-models/policy/v1/PodDisruptionBudget',
  },
  'autoscaling/v2 HorizontalPodAutoscaler': {
    Schema: HorizontalPodAutoscaler,
    module: 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler',
  },
};

export function typeOf({ apiVersion, kind }: Manifest): string {
  return `${apiVersion} ${kind}`;
}

export function kindOf(manifest: Manifest): Kind {
  const kind = KINDS[typeOf(manifest)];
  if (kind === undefined) throw new Error(`no schema of ${typeOf(manifest)}`);
  return kind;
}

/** The manifests in a YAML file. @throws if it is no YAML */
export function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as Manifest;
  });
}

/** @throws if a manifest does not fit the schema of its kind */
export function validate(manifest: Manifest): void {
  const { Schema } = kindOf(manifest);
  new Schema(manifest as never).validate();
}
