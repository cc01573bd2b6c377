/** Caller threads that have calls at an inline replica which another one has replaced. */
export class InlineHandover {
  /** By caller: the names under which it has not said yet that it is through. */
  readonly #outstanding = new Map<object, number>();
  readonly #over = Promise.withResolvers<void>();

  /** Resolves when all of them are through. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#outstanding.size === 0;
  }

  expect(caller: object, names: number): void {
    if (names > 0) this.#outstanding.set(caller, names);
  }

  /** A caller is through under one name. */
  done(caller: object): void {
    const left = (this.#outstanding.get(caller) ?? 1) - 1;
    if (left > 0) this.#outstanding.set(caller, left);
    else this.forget(caller);
  }

  /** A caller is through, or its thread is gone. */
  forget(caller: object): void {
    this.#outstanding.delete(caller);
    if (this.isOver) this.end();
  }

  end(): void {
    this.#over.resolve();
  }
}
