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
  /** Carries a change out in the whole fleet; undefined for one that concerns this instance alone. */
  #fleet: ((change: Change) => Promise<void> | undefined) | undefined = undefined;

  /** @param wake makes the controller decide at once */
  constructor(instanceId: string, store: Store, wake: () => void) {
    this.#instanceId = instanceId;
    this.#store = store;
    this.#wake = wake;
  }

  get snapshot(): Snapshot {
    return this.#store.read();
  }

  /** Declares that an app runs here as its spec says. */
  declare(app: AppSpec): void {
    this.#say({ type: 'declare', instance: this.#instanceId, app });
  }

  /** Declares that an app no longer runs here. */
  withdraw(app: string): void {
    this.#say({ type: 'withdraw', instance: this.#instanceId, app });
  }

  /** Planned replicas of a deployment on this instance; undefined without an entry in the plan. */
  planned(key: RouteKey): number | undefined {
    const counts = entryOf(this.snapshot.plan.counts, key);
    return counts && entryOf(counts, this.#instanceId);
  }

  /** Makes the controller decide at once. */
  wake(): void {
    this.#wake();
  }

  /** From now on overrides are those of a fleet. @param command carries out a change; undefined for one of this instance alone */
  join(command: (change: Change) => Promise<void> | undefined): void {
    this.#fleet = command;
  }

  /** Proposes an override and makes the controller decide at once. Rejects with `SERVE_UNAVAILABLE`. */
  async override(change: Change): Promise<void> {
    const sent = this.#fleet?.(change);
    if (sent !== undefined) {
      await sent;
      return;
    }
    const proposed = this.propose(change);
    this.#wake();
    await proposed;
  }

  /** Proposes a change; the controller considers it at its next pass. */
  async propose(change: Change): Promise<void> {
    await this.#store.propose(change, OWN_TOKEN);
  }

  /** Calls the listener with every new snapshot. @returns a function that ends the watch */
  watch(listener: (snapshot: Snapshot) => void): () => void {
    return this.#store.watch(listener);
  }

  #say(change: Change): void {
    // The memory store never rejects a change of its own instance.
    void this.#store.propose(change, OWN_TOKEN);
    this.#wake();
  }
}
