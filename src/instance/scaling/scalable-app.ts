import type { AppAutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Clock } from '../../time/control-clock.ts';
import type { InstanceControl } from '../control.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';

/** An app with deployments that may be autoscaled. */
export interface ScalableApp {
  readonly autoscalingPolicy: AppAutoscalingPolicy | undefined;
  /** A deployment with a number of replicas; undefined if the app runs no such deployment. */
  scalable(deployment: string): ScalableDeployment | undefined;
}

/** The parts of the instance that the scalers use. */
export interface ScalingNeeds {
  readonly registry: EndpointRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: Events;
  readonly control: InstanceControl;
}
