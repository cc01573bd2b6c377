import { type AsyncLocalStorage, createHook } from 'node:async_hooks';

/**
 * The timers, ports, workers, sockets and ticks of this thread that are made while there is a store, and live on. Promises
 * are left out: nothing tells of their end, but a store that they hold is not collected.
 */
export class LongLived implements Disposable {
  readonly #alive = new Map<number, string>();
  readonly #hook;

  constructor(stores: AsyncLocalStorage<unknown>) {
    this.#hook = createHook({
      init: (id, type) => {
        if (type !== 'PROMISE' && stores.getStore() !== undefined) this.#alive.set(id, type);
      },
      destroy: (id) => void this.#alive.delete(id),
    }).enable();
  }

  get types(): string[] {
    return [...this.#alive.values()];
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}
