import type { Packed } from '../values/pack.ts';
import type { BoundDeployment } from './bound.ts';
import type { IngressFace } from './ingress-face.ts';
import type { AutoscalingConfig } from './options/autoscaling-config.ts';
import type { AppAutoscalingPolicy, AutoscalingPolicy } from './options/autoscaling-policy.ts';
import type { ResolvedOptions } from './options/deployment-options.ts';
import type { PythonSource } from './python/python-plan.ts';

/** Options that may travel to other instances: without functions, and without a host's environment variables. */
export type SpecOptions = Omit<ResolvedOptions, 'env' | 'autoscaling'> & {
  readonly autoscaling: AutoscalingConfig | undefined;
};

/** One deployment of an app as plain data. */
export interface DeploymentSpec {
  readonly name: string;
  readonly options: SpecOptions;
  /** Version for display: `options.version`, else the fingerprint. */
  readonly version: string;
  /** Identity of the running code: another fingerprint needs new replicas, any other change is applied in place. */
  readonly fingerprint: string;
  /** Names of the deployments to which it holds handles. */
  readonly callees: readonly string[];
}

/** An app as plain data, which may travel: the input of the control plane. */
export interface AppSpec {
  readonly name: string;
  readonly ingress: string;
  /** Name of the class or function of the ingress. */
  readonly ingressClass: string;
  /** Kinds of requests that the ingress answers, judged by its class. */
  readonly ingressFace: IngressFace;
  /** Deployments, callees before callers: the ingress is the last. */
  readonly deployments: readonly DeploymentSpec[];
}

/** The part of a deployment that stays on its host: its code and arguments. */
export interface DeploymentSource {
  /** `file:` URL of the module that registers the target. */
  readonly module: string;
  readonly exportName: string;
  /** Arguments of the constructor, including handles to other deployments of the app. */
  readonly args: Packed;
  /** Environment variables of the replicas. */
  readonly env: Readonly<Record<string, string>>;
  /** Policy that decides instead of the load; undefined: the default policy. */
  readonly policy: AutoscalingPolicy | undefined;
  /** Set if the replicas run a Python class or function. */
  readonly python?: PythonSource;
}

/** A deployment as its host runs it. */
export interface HostedDeployment extends DeploymentSpec {
  readonly source: DeploymentSource;
}

/** The part of an app that stays on its host. The fingerprints of the spec say which spec it belongs to. */
export interface AppSource {
  /** Sources in the order of the spec. */
  readonly deployments: readonly HostedDeployment[];
  /** The name of each bound deployment in the app. */
  readonly names: ReadonlyMap<BoundDeployment<unknown>, string>;
  readonly autoscalingPolicy: AppAutoscalingPolicy | undefined;
  /** Loads the same app from disk once more. */
  recompile(): CompiledApp;
  /** Compiles the same code again, because options that it was adjusted with have changed. */
  readjust(): CompiledApp;
}

export interface CompiledApp {
  readonly spec: AppSpec;
  readonly source: AppSource;
  /** Number of times that its code was reloaded. */
  readonly revision: number;
}
