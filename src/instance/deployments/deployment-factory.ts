import type { HostedDeployment } from '../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import type { TenantsOptions } from '../../handle/queue/tenants.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { InlineReplicas } from '../../isolation/inline/inline-replicas.ts';
import type { ReplicaHosts } from '../../isolation/replica-host.ts';
import type { CallCounts } from '../../observe/call-counts.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Clock } from '../../time/control-clock.ts';
import type { HostMetrics } from '../../user-metrics/host-metrics.ts';
import type { InstanceControl } from '../control.ts';
import type { ResourceLedger } from '../resources/resource-ledger.ts';
import type { UnobservedFailures } from '../unobserved-failures.ts';
import { DeploymentReporter } from './deployment-reporter.ts';
import { InlineDeployment } from './inline/inline-deployment.ts';
import { EjectionMonitor } from './replicated/ejection-monitor.ts';
import { type LoadedFilesObserver, ReplicaReports } from './replicated/replica-reports.ts';
import { ReplicaStarter } from './replicated/replica-starter.ts';
import { ReplicatedDeployment } from './replicated/replicated-deployment.ts';
import type { RunningDeployment } from './running-deployment.ts';

/** The parts of an instance from which its deployments are put together. */
export interface DeploymentFactoryOptions {
  readonly instanceId: string;
  readonly registry: EndpointRegistry;
  readonly inlineReplicas: InlineReplicas;
  readonly events: Events;
  readonly log: Logger;
  readonly clock: Clock;
  readonly resources: ResourceLedger;
  readonly control: InstanceControl;
  /** Creates the environments for the replicas of one more deployment. */
  replicaHosts(): ReplicaHosts;
  readonly tenants: TenantsOptions | undefined;
  /** Set only if apps are reloaded when their files change. */
  readonly dev: LoadedFilesObserver | undefined;
  /** Indices of the threads that make calls; the host is 0. */
  nextCallerIndex(): number;
  /** Counts of calls and batches from all threads. */
  readonly book: CallCounts;
  /** Metrics of user code from all threads. */
  readonly userMetrics: HostMetrics;
  readonly unobserved: UnobservedFailures;
}

/** Puts deployments together by their isolation, and gives each part what it uses. */
export class DeploymentFactory {
  readonly #options: DeploymentFactoryOptions;

  constructor(options: DeploymentFactoryOptions) {
    this.#options = options;
  }

  make(app: string, spec: HostedDeployment): RunningDeployment {
    const { events, log, book } = this.#options;
    const reporter = new DeploymentReporter(app, spec.name, events, log, book);
    return ISOLATIONS[spec.options.isolation].isReplicated
      ? this.#replicated(app, spec, reporter)
      : new InlineDeployment(app, spec, { ...this.#options, reporter });
  }

  #replicated(app: string, spec: HostedDeployment, reporter: DeploymentReporter): ReplicatedDeployment {
    const { events, log, dev, replicaHosts } = this.#options;
    return new ReplicatedDeployment(app, spec, {
      ...this.#options,
      reporter,
      starter: new ReplicaStarter(app, spec.name, {
        ...this.#options,
        hosts: replicaHosts(),
        isTracked: dev !== undefined,
      }),
      reports: new ReplicaReports(app, spec.name, reporter, this.#options),
      ejections: new EjectionMonitor(app, spec.name, events, log),
    });
  }
}
