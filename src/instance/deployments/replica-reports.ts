import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { ReplicaReport } from '../../replica/control.ts';
import { unpack } from '../../values/pack.ts';
import type { Environment } from '../environment.ts';
import type { DeploymentReporter } from './deployment-reporter.ts';

/** Receivers of the reports of replicas. */
export type ReportDesks = Pick<Environment, 'book' | 'userMetrics' | 'log' | 'dev' | 'reportUnobserved'>;

/** Processes the reports of one deployment's replicas: counts, metrics, log lines, advice, loaded files. */
export class ReplicaReports {
  readonly #app: string;
  readonly #deployment: string;
  readonly #reporter: DeploymentReporter;
  readonly #desks: ReportDesks;

  constructor(app: string, deployment: string, reporter: DeploymentReporter, desks: ReportDesks) {
    this.#app = app;
    this.#deployment = deployment;
    this.#reporter = reporter;
    this.#desks = desks;
  }

  take(from: ManagedReplica, report: ReplicaReport): void {
    const { book, userMetrics, log, dev } = this.#desks;
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
      case 'advice':
        this.#reporter.advise([report.message]);
        return;
      case 'loaded':
        dev?.loaded(this.#app, report.url);
        return;
      case 'unobserved': {
        const { type: _, error, ...about } = report;
        this.#desks.reportUnobserved({ ...about, error: unpack(error) });
        return;
      }
    }
  }

  /** A replica has another rank, under which its metrics count from now on. */
  renumbered(from: number, to: number): void {
    this.#desks.userMetrics.renumber(this.#app, this.#deployment, from, to);
  }

  /** A replica is gone. */
  ended(replica: ManagedReplica): void {
    this.#desks.userMetrics.forget(this.#app, this.#deployment, replica);
  }

  /** The deployment is gone. */
  close(): void {
    this.#desks.userMetrics.ended(this.#app, this.#deployment);
  }
}
