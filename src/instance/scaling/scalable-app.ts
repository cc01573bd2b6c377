import type { AppAutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';
import type { Environment } from '../environment.ts';

/** An app with deployments that may be autoscaled. */
export interface ScalableApp {
  readonly autoscalingPolicy: AppAutoscalingPolicy | undefined;
  /** A deployment with a number of replicas; undefined if the app runs no such deployment. */
  scalable(deployment: string): ScalableDeployment | undefined;
}

/** The parts of the environment that the scalers use. */
export type ScalingNeeds = Pick<Environment, 'registry' | 'clock' | 'log' | 'events' | 'control'>;
