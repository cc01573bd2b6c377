import {
  type Declaration,
  type DeclaredDeployment,
  DOCUMENT_FORMAT,
} from '../../../src/cluster/documents.ts';
import { autoscalingOf } from '../../../src/deployment/options/autoscaling-options.ts';
import { demandOf } from '../../../src/deployment/options/resources.ts';

/** A deployment as an instance's code declares it. */
export function declared(name: string, options: Partial<DeclaredDeployment> = {}): DeclaredDeployment {
  return {
    name,
    fingerprint: `${name}-1`,
    version: '1',
    numReplicas: 1,
    autoscaling: undefined,
    minReplicasPerInstance: 0,
    maxReplicasPerInstance: undefined,
    demand: demandOf({ cpus: 0.1 }),
    methods: ['call'],
    moduleHash: 'a',
    configured: 0,
    ...options,
  };
}

export function declarationOf(codeVersion: string, deployments: readonly DeclaredDeployment[]): Declaration {
  const app = { name: 'shop', routePrefix: '/', trial: undefined, lifts: 0, deployments };
  return { format: DOCUMENT_FORMAT, codeVersion, apps: [app] };
}

/** One deployment of each kind: a fixed count, an autoscaled one, one on every instance, one that scales to zero. */
export function mixedDeclaration(codeVersion = '1'): Declaration {
  return declarationOf(codeVersion, [
    declared('fixed', { numReplicas: 5 }),
    declared('auto', { autoscaling: autoscalingOf(undefined, { minReplicas: 1, maxReplicas: 12 }) }),
    declared('each', { minReplicasPerInstance: 1 }),
    declared('zero', { autoscaling: autoscalingOf(undefined, { minReplicas: 0, maxReplicas: 4 }) }),
  ]);
}
