import type { ConfigOrder, OverrideChange } from '../cluster/node/overrides.ts';
import type { ScalingReport } from '../controller/status.ts';
import type { AppSpec } from '../deployment/app-spec.ts';
import type { AutoscalingConfig } from '../deployment/options/autoscaling-config.ts';
import type { DeploymentOptions } from '../deployment/options/deployment-options.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../handle/routing/traffic-split.ts';
import { entryOf, type Snapshot } from '../store/snapshot.ts';
import type { Change, FencingToken, Store } from '../store/store.ts';

/** The controller of a single instance never has a rival. */
export const OWN_TOKEN: FencingToken = 1;

/** The fleet of an instance, as the parts that change the desired state use it. */
export interface FleetControl {
  /** Carries out a change in the whole fleet; undefined for a change that concerns this instance alone. */
  change(change: Change): Promise<void> | undefined;
  /**
   * Orders something of the whole fleet. Resolves once it is ordered and this instance has done its part.
   * @throws ServeError `SERVE_UNAVAILABLE` while Redis is away
   */
  order(change: OverrideChange): Promise<void>;
  /**
   * Orders a config of the whole fleet.
   * @param isNew whether none of its apps runs here yet, so that the instance starts and may go on alone
   * @returns whether the fleet has it; false: the instance is alone
   * @throws ServeError `SERVE_UNAVAILABLE` while Redis is away
   */
  configure(order: ConfigOrder, isNew: boolean): Promise<boolean>;
  /** The options of the deployment with those of the fleet's config applied. */
  optionsOf(app: string, deployment: string, own: DeploymentOptions): DeploymentOptions;
  /** The autoscaling of a deployment by the fleet's config; undefined if the config does not say it. */
  autoscalingOf(key: RouteKey): AutoscalingConfig | undefined;
  /** The last decision of the fleet's autoscaling about a deployment; undefined where this instance does not lead. */
  scalingOf(key: RouteKey): ScalingReport | undefined;
  /** The verdict on a trial, by the app as which the new version runs; undefined while it has not ended. */
  verdictOn(app: string, seed: number): Promise<'promoted' | 'rolled back' | undefined>;
  /** The version on trial beside an app, wherever its replicas are. */
  trialOf(app: string): TrafficSplitConfig | undefined;
  /** Whether the fleet has a deployment, or any deployment of an app, on this instance or on others. */
  isInFleet(app: string, deployment?: string): boolean;
  /** Whether another instance has an earlier version of an app, or has not told yet what it has. */
  mayGoBack(app: string): Promise<boolean>;
}

/** An instance's side of the control plane: declares its apps, and reads its part of the plan. */
export class InstanceControl {
  readonly #instanceId: string;
  readonly #store: Store;
  readonly #wake: () => void;
  /** Undefined outside a fleet. */
  fleet: FleetControl | undefined = undefined;

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

  /** Proposes an override and makes the controller decide at once. Rejects with `SERVE_UNAVAILABLE`. */
  async override(change: Change): Promise<void> {
    const sent = this.fleet?.change(change);
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
