/** A change of a deployment that somebody waits for. */
export class PendingChange {
  readonly #isUpdate: boolean;
  readonly #over = Promise.withResolvers<void>();

  /** @param isUpdate over when no old replica is left; a first deployment when one replica is there */
  constructor(isUpdate: boolean) {
    this.#isUpdate = isUpdate;
    this.#over.promise.catch(() => {});
  }

  /** Resolves when the deployment is what it should be, rejects when it cannot be. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** @param error why it will never be */
  giveUp(error: unknown): void {
    this.#over.reject(error);
  }

  /**
   * Looks whether it is over.
   * @param running replicas of the wanted version
   * @param old replicas of others
   * @returns whether all that was wanted is there
   */
  judge(target: number, running: number, old: number): boolean {
    if (running < (this.#isUpdate ? target : Math.min(1, target)) || (this.#isUpdate && old > 0))
      return false;
    this.#over.resolve();
    return running === target;
  }
}
