import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import type { CallCounts } from '../../../observe/call-counts.ts';
import type { Logger } from '../../../observe/logger.ts';
import type { ReplicaReport } from '../../../replica/control.ts';
import type { HostMetrics } from '../../../user-metrics/host-metrics.ts';
import { unpack } from '../../../values/pack.ts';
import type { UnobservedFailures } from '../../unobserved-failures.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';

/** Learns which files the replicas of apps load. */
export interface LoadedFilesObserver {
  /** A replica of the app loaded a module of the project. */
  loaded(app: string, url: string): void;
}

/** The receivers of what replicas report. */
export interface ReportReceivers {
  readonly book: CallCounts;
  readonly userMetrics: HostMetrics;
  readonly log: Logger;
  readonly dev: LoadedFilesObserver | undefined;
  readonly unobserved: UnobservedFailures;
}

/** Processes the reports of one deployment's replicas: counts, metrics, log lines, advice, loaded files. */
export class ReplicaReports {
  readonly #app: string;
  readonly #deployment: string;
  readonly #reporter: DeploymentReporter;
  readonly #receivers: ReportReceivers;

  constructor(app: string, deployment: string, reporter: DeploymentReporter, receivers: ReportReceivers) {
    this.#app = app;
    this.#deployment = deployment;
    this.#reporter = reporter;
    this.#receivers = receivers;
  }

  take(from: ManagedReplica, report: ReplicaReport): void {
    const { book, userMetrics, log, dev } = this.#receivers;
    switch (report.type) {
      case 'stats':
        for (const counted of report.calls) book.merge(counted);
        for (const counted of report.batches) book.mergeBatches(counted);
        userMetrics.merge(report.metrics, this.#app, this.#deployment, from);
        return;
      case 'log': {
        const { level, message, requestId, route = '' } = report.line;
        const about = { app: this.#app, deployment: this.#deployment, replica: from.replicaId };
        log[level](requestId === undefined ? about : { ...about, requestId, route }, message);
        return;
      }
      case 'progress':
        this.#reporter.progress(from.replicaId, report.message);
        return;
      case 'advice':
        this.#reporter.advise([report.message]);
        return;
      case 'loaded':
        dev?.loaded(this.#app, report.url);
        return;
      case 'unobserved': {
        const { type: _, error, ...about } = report;
        this.#receivers.unobserved.report({ ...about, error: unpack(error) });
        return;
      }
    }
  }

  /** A replica has another rank, under which its metrics count from now on. */
  renumbered(from: number, to: number): void {
    this.#receivers.userMetrics.renumber(this.#app, this.#deployment, from, to);
  }

  /** A replica is gone. */
  ended(replica: ManagedReplica): void {
    this.#receivers.userMetrics.forget(this.#app, this.#deployment, replica);
  }

  /** The deployment is gone. */
  close(): void {
    this.#receivers.userMetrics.ended(this.#app, this.#deployment);
  }
}
