/** A change of a deployment whose end a caller awaits. */
export class PendingChange {
  readonly #isUpdate: boolean;
  readonly #over = Promise.withResolvers<void>();

  /** @param isUpdate an update ends when no old replica remains; a first deployment when one replica runs */
  constructor(isUpdate: boolean) {
    this.#isUpdate = isUpdate;
    this.#over.promise.catch(() => {});
  }

  /** Resolves when the deployment is in its desired state, rejects when it cannot get there. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** @param error reason why the change failed */
  destroy(error: unknown): void {
    this.#over.reject(error);
  }

  /**
   * Ends the change if it is complete.
   * @param running replicas of the wanted version
   * @param old replicas of other versions
   * @returns whether the desired state is reached in full
   */
  judge(target: number, running: number, old: number): boolean {
    if (running < (this.#isUpdate ? target : Math.min(1, target)) || (this.#isUpdate && old > 0))
      return false;
    this.#over.resolve();
    return running === target;
  }
}
