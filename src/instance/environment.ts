import type { TenantsOptions } from '../handle/queue/tenants.ts';
import type { EndpointRegistry } from '../handle/routing/endpoint-registry.ts';
import type { InlineReplicas } from '../isolation/inline/inline-replicas.ts';
import type { ReplicaHosts } from '../isolation/replica-host.ts';
import type { CallCounts } from '../observe/call-counts.ts';
import type { Events } from '../observe/events.ts';
import type { Logger } from '../observe/logger.ts';
import type { Clock } from '../time/control-clock.ts';
import type { HostMetrics } from '../user-metrics/host-metrics.ts';
import type { DevReload } from './apps/dev-reload.ts';
import type { InstanceControl } from './control.ts';
import type { ResourceLedger } from './resources/resource-ledger.ts';

export interface UnobservedFailure {
  readonly app: string;
  readonly deployment: string;
  readonly method: string;
  readonly requestId: string;
  readonly error: unknown;
}

/** The parts that one instance shares among its apps and deployments. */
export interface Environment {
  readonly instanceId: string;
  readonly registry: EndpointRegistry;
  readonly inlineReplicas: InlineReplicas;
  readonly events: Events;
  readonly log: Logger;
  readonly clock: Clock;
  readonly resources: ResourceLedger;
  /** The instance's side of the control plane. */
  readonly control: InstanceControl;
  /** Creates the environments for the replicas of one more deployment. */
  replicaHosts(): ReplicaHosts;
  readonly tenants: TenantsOptions | undefined;
  /** Set only if apps are reloaded when their files change. */
  readonly dev: DevReload | undefined;
  /** Indices of the threads that make calls; the host is 0. */
  nextCallerIndex(): number;
  /** Counts of calls and batches from all threads. */
  readonly book: CallCounts;
  /** Metrics of user code from all threads. */
  readonly userMetrics: HostMetrics;
  /** Reports a response that failed, in any thread, without its caller handling the failure. */
  reportUnobserved(failure: UnobservedFailure): void;
}
