import { context, deployment } from '../../../src/index.ts';
import { Shared } from '../../support/shared.ts';

export const DATABASE = { connections: 0, broken: 1, closed: 2 };

/** A deployment whose replicas each hold a connection that may break; only a new replica gets a new one. */
export class Store {
  readonly #shared: Shared;
  readonly #connection: number;

  constructor(shared: SharedArrayBuffer) {
    this.#shared = new Shared(shared);
    this.#connection = this.#shared.add(DATABASE.connections);
  }

  call(): { connection: number; replica: string } {
    return { connection: this.#connection, replica: context().replicaId };
  }

  checkHealth(): void {
    if (this.#shared.get(DATABASE.broken) === this.#connection)
      throw new Error('uh-oh, DB connection is broken.');
  }

  [Symbol.dispose](): void {
    this.#shared.add(DATABASE.closed);
  }
}

export const store = deployment(Store, {
  numReplicas: 2,
  healthCheckPeriodMs: 50,
  healthCheckTimeoutMs: 1_000,
});
