/** Tracks the caller threads that still have calls at a replaced inline replica. */
export class InlineHandover {
  /** For each caller, the number of keys under which its calls have not ended. */
  readonly #outstanding = new Map<object, number>();
  readonly #over = Promise.withResolvers<void>();

  /** Resolves when no caller has calls there. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#outstanding.size === 0;
  }

  expect(caller: object, names: number): void {
    if (names > 0) this.#outstanding.set(caller, names);
  }

  /** A caller has no more calls under one key. */
  done(caller: object): void {
    const left = (this.#outstanding.get(caller) ?? 1) - 1;
    if (left > 0) this.#outstanding.set(caller, left);
    else this.forget(caller);
  }

  /** A caller has no more calls, or its thread is gone. */
  forget(caller: object): void {
    this.#outstanding.delete(caller);
    if (this.isOver) this.end();
  }

  end(): void {
    this.#over.resolve();
  }
}
