import type { AppSpec } from '../deployment/app-spec.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import { entryOf, type Snapshot } from '../store/snapshot.ts';
import type { Change, FencingToken, Store } from '../store/store.ts';

/** The controller of a single instance never has a rival. */
export const OWN_TOKEN: FencingToken = 1;

/** An instance's side of the control plane: declares its apps, and reads its part of the plan. */
export class InstanceControl {
  readonly #instanceId: string;
  readonly #store: Store;
  readonly #wake: () => void;

  /** @param wake has the controller decide at once */
  constructor(instanceId: string, store: Store, wake: () => void) {
    this.#instanceId = instanceId;
    this.#store = store;
    this.#wake = wake;
  }

  get snapshot(): Snapshot {
    return this.#store.read();
  }

  /** An app is to run here as its spec says. */
  declare(app: AppSpec): void {
    this.#say({ type: 'declare', instance: this.#instanceId, app });
  }

  /** An app is no longer to run here. */
  withdraw(app: string): void {
    this.#say({ type: 'withdraw', instance: this.#instanceId, app });
  }

  /** Replicas of a deployment that are to run here; undefined: nothing is planned about it. */
  planned(key: RouteKey): number | undefined {
    const counts = entryOf(this.snapshot.plan.counts, key);
    return counts && entryOf(counts, this.#instanceId);
  }

  /** Something happened that the controller should look at. */
  wake(): void {
    this.#wake();
  }

  /** Says something beyond the code. Rejects with `SERVE_UNAVAILABLE`. */
  async override(change: Change): Promise<void> {
    const proposed = this.propose(change);
    this.#wake();
    await proposed;
  }

  /** The same, and the controller looks at it with the next thing that it is told. */
  async propose(change: Change): Promise<void> {
    await this.#store.propose(change, OWN_TOKEN);
  }

  /** Calls the listener with every new snapshot. @returns ends that */
  watch(listener: (snapshot: Snapshot) => void): () => void {
    return this.#store.watch(listener);
  }

  #say(change: Change): void {
    // The memory store takes what its own instance says.
    void this.#store.propose(change, OWN_TOKEN);
    this.#wake();
  }
}
