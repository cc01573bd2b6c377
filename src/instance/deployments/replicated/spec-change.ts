import type { ServeError } from '../../../errors.ts';
import type { UpdateBarrier } from '../update-barrier.ts';

/** The change of a deployment to its current spec: its end, which a caller awaits, and its failure. */
export class SpecChange {
  /** The deployments of the app that change together with this one. */
  readonly barrier: UpdateBarrier;
  readonly #isUpdate: boolean;
  readonly #over = Promise.withResolvers<void>();
  #isPending = true;
  #failure: ServeError | undefined = undefined;
  /** The change failed because no replica fits anywhere, and recovers once one does. */
  #isUnplaceable = false;

  /** @param isUpdate an update ends when no old replica remains; a first deployment when one replica runs */
  constructor(barrier: UpdateBarrier, isUpdate: boolean) {
    this.barrier = barrier;
    this.#isUpdate = isUpdate;
    this.#over.promise.catch(() => {});
  }

  /** Resolves when the deployment is in its desired state, rejects when it cannot get there. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Whether the deployment is not yet in its desired state, and may get there. */
  get isPending(): boolean {
    return this.#isPending;
  }

  /** The reason why the current version never ran and never will. */
  get failure(): ServeError | undefined {
    return this.#failure;
  }

  get isUnplaceable(): boolean {
    return this.#isUnplaceable;
  }

  /** @param error reason why the change is given up */
  destroy(error: unknown): void {
    this.#isPending = false;
    this.#over.reject(error);
  }

  /** @param isUnplaceable no replica fits anywhere */
  fail(failure: ServeError, isUnplaceable: boolean): void {
    this.#failure = failure;
    this.#isUnplaceable = isUnplaceable;
    this.destroy(failure);
  }

  /** Withdraws the failure: a replica fits again. */
  recover(): void {
    this.#failure = undefined;
    this.#isUnplaceable = false;
  }

  /**
   * Ends the change if it is complete.
   * @param running replicas of the wanted version
   * @param old replicas of other versions
   */
  judge(target: number, running: number, old: number): void {
    if (running < (this.#isUpdate ? target : Math.min(1, target)) || (this.#isUpdate && old > 0)) return;
    this.#over.resolve();
    if (running === target) this.#isPending = false;
  }
}
