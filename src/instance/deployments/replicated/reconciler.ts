import { reconcile } from '../../../controller/reconcile.ts';
import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import { census, observe } from './census.ts';
import type { ReplicaHistory } from './replica-history.ts';
import type { ReplicaSet } from './replica-set.ts';
import type { ReplicaTarget } from './replica-target.ts';

/** Carries out the controller's decisions about a deployment: starts and stops replicas until they are as its spec says. */
export class Reconciler {
  readonly #replicas: ReplicaSet;
  readonly #target: ReplicaTarget;
  readonly #history: ReplicaHistory;

  constructor(replicas: ReplicaSet, target: ReplicaTarget, history: ReplicaHistory) {
    this.#replicas = replicas;
    this.#target = target;
    this.#history = history;
  }

  /**
   * @param isFailed no replica of the spec is started
   * @returns the reason if replicas have fitted nowhere for too long and none runs
   */
  reconcile(spec: HostedDeployment, at: number, isFailed: boolean): string | undefined {
    const { options, fingerprint } = spec;
    const { rollout, restart, gracefulShutdownTimeoutMs: graceMs } = options;
    const { target, pending } = this.#target;
    const isHeld = isFailed || this.#history.isDegraded || this.#history.starts.isWaiting(restart, at);
    const isOnTrial = this.#history.rollout?.isOnTrial ?? false;
    const isCramped = pending !== undefined && !this.#replicas.isStopping;
    const desired = { fingerprint, target, ...rollout, isHeld, isOnTrial, isCramped };
    const unplaced: string[] = [];
    for (const action of reconcile(desired, observe(this.#replicas))) {
      if (action.type === 'start') this.#start(spec, unplaced);
      // The calls of the replica were accepted: they may take until their deadlines.
      else this.#replicas.closeOne(action.id, { graceMs, promised: options });
    }
    return isHeld ? undefined : this.#unplaceable(fingerprint, at, unplaced);
  }

  /** @param unplaced receives the reason if the replica fits nowhere; no other replica fits then either */
  #start(spec: HostedDeployment, unplaced: string[]): void {
    const why = unplaced[0] ?? this.#replicas.start(spec);
    if (why !== undefined) unplaced.push(why);
  }

  #unplaceable(fingerprint: string, at: number, unplaced: readonly string[]): string | undefined {
    this.#target.observePending(at, unplaced.length, unplaced[0] ?? '');
    const { live, old } = census(this.#replicas, fingerprint);
    return live > old || this.#replicas.isStopping ? undefined : this.#target.overdue(at);
  }
}
