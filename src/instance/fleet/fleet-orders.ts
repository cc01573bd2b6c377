import type { FleetView, FleetOrders as Orders } from '../../cluster/member/fleet-view.ts';
import {
  type DeploymentOptions,
  mergeOptions,
  parseDeploymentOptions,
} from '../../deployment/options/deployment-options.ts';
import { ServeError } from '../../errors.ts';
import { type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../../handle/routing/traffic-split.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { entryOf } from '../../store/snapshot.ts';
import { messageOf } from '../../values/describe-value.ts';
import { triedApp } from '../apps/trial-name.ts';

/** The part of the view that orders are read from. */
export type OrdersView = Pick<FleetView, 'orders' | 'deleted' | 'trials' | 'plan' | 'areOrdersKnown'>;

/** The actions on its own apps by which an instance carries out orders of the fleet. */
export interface OrderedActions {
  /** Names of the apps that run here, with those of their deployments. */
  apps(): Iterable<readonly [app: string, deployments: readonly string[]]>;
  /** Applies the options of the fleet's config to an app, once its current update is over. */
  readjust(app: string): Promise<void>;
  /** The version on trial here beside an app. */
  trialOf(app: string): TrafficSplitConfig | undefined;
  promote(app: string): Promise<void>;
  closeTrial(app: string): Promise<void>;
  /** Goes back to the version before the last update; does nothing without one. */
  goBack(app: string): Promise<void>;
  deleteApp(app: string): Promise<void>;
  /** Trials that receive calls, wherever their replicas are. */
  followTrials(trials: FleetView['trials']): void;
}

const NO_ORDERS: Orders = { configs: {}, verdicts: {}, rollbacks: {}, draining: [] };

/** Carries out, with the apps of this instance, what people ordered of the whole fleet. */
export class OrderFollower {
  readonly #actions: OrderedActions;
  readonly #events: Events;
  readonly #log: Logger;
  #orders: Orders = NO_ORDERS;
  /** Generation of the config that each deployment was compiled with. */
  readonly #configured = new Map<RouteKey, number>();
  /** Generations of the orders that were carried out, by what they concern. */
  readonly #done = new Map<string, number>();
  /** Trials that were promoted here. */
  readonly #promoted = new Map<string, number>();
  /** The outcome of the last order, by what it concerns. */
  readonly #outcomes = new Map<string, Promise<void>>();
  /** The configs that were applied, or are being applied, by app. */
  readonly #adjusted = new Map<string, string>();
  readonly #adjusting = new Set<string>();
  #hasOrders = false;

  constructor(actions: OrderedActions, events: Events, log: Logger) {
    this.#actions = actions;
    this.#events = events;
    this.#log = log;
  }

  get orders(): Orders {
    return this.#orders;
  }

  follow({ orders, deleted, trials, plan, areOrdersKnown }: OrdersView): void {
    // A fleet thread that starts anew knows no plan and no orders at first, which does not mean that they were withdrawn.
    if (plan !== 0) this.#actions.followTrials(trials);
    if (!areOrdersKnown) return;
    this.#orders = orders;
    for (const [app, generation] of Object.entries(deleted)) {
      if (this.isDone(`delete ${app}`, generation)) continue;
      this.#carryOut(`delete ${app}`, generation, () => this.#actions.deleteApp(app));
    }
    for (const [as, verdict] of Object.entries(orders.verdicts)) {
      if (this.isDone(`verdict ${as}`, verdict.generation)) continue;
      this.#carryOut(`verdict ${as}`, verdict.generation, () => this.#judge(as, verdict));
    }
    for (const [app, generation] of Object.entries(orders.rollbacks)) {
      if (this.isDone(`rollback ${app}`, generation)) continue;
      // An instance that starts has no earlier version, and runs what its code says.
      const act = this.#hasOrders ? () => this.#actions.goBack(app) : () => Promise.resolve();
      this.#carryOut(`rollback ${app}`, generation, act);
    }
    this.#hasOrders = true;
    this.#readjust();
  }

  /** Resolves once the part of this instance in an order is done. */
  async done(what: string): Promise<void> {
    await this.#outcomes.get(what);
  }

  /** An app was deleted here by the order of that generation, or by this instance itself. */
  deleted(app: string, generation: number): void {
    this.#done.set(`delete ${app}`, generation);
  }

  /** Generation of the deletion of an app that was carried out here; 0: none. */
  deletionOf(app: string): number {
    return this.#done.get(`delete ${app}`) ?? 0;
  }

  isDone(what: string, generation: number): boolean {
    return (this.#done.get(what) ?? 0) >= generation;
  }

  /** The options of a deployment with those of the fleet's config applied, apart from its number of replicas. */
  optionsOf(app: string, deployment: string, own: DeploymentOptions): DeploymentOptions {
    const key = routeKey(app, deployment);
    const configured = entryOf(this.#orders.configs, key);
    this.#configured.set(key, configured?.generation ?? 0);
    if (configured === undefined) return own;
    try {
      const { module: _, schemas, ...merged } = mergeOptions(own, configured.options);
      return { ...parseDeploymentOptions(merged, `${app}/${deployment}`), ...(schemas && { schemas }) };
    } catch (error) {
      this.#fault(`options in the fleet's config are invalid for ${key}`, error);
      return own;
    }
  }

  /** Generation of the config whose options a deployment has; 0: none. */
  configuredOf(key: RouteKey): number {
    return this.#configured.get(key) ?? 0;
  }

  #readjust(): void {
    for (const [app, deployments] of this.#actions.apps()) {
      if (triedApp(app) !== undefined || this.#adjusting.has(app)) continue;
      const keys = deployments.map((deployment) => routeKey(app, deployment));
      const wanted = keys.map((key) => entryOf(this.#orders.configs, key)?.generation ?? 0);
      const isBehind = keys.some((key, index) => this.configuredOf(key) !== wanted[index]);
      // An order that failed once is not tried again.
      if (!isBehind || this.#adjusted.get(app) === wanted.join()) continue;
      this.#adjusted.set(app, wanted.join());
      this.#adjusting.add(app);
      void this.#run(`config ${app}`, () => this.#adjust(app)).then(() => {
        this.#adjusting.delete(app);
        // Another config may have come in the meantime.
        this.#readjust();
      });
    }
  }

  /** A newer deploy has the same options, since it was compiled later. */
  async #adjust(app: string): Promise<void> {
    try {
      await this.#actions.readjust(app);
    } catch (error) {
      if (!(error instanceof ServeError) || error.code !== 'SERVE_UNAVAILABLE') throw error;
    }
  }

  async #judge(as: string, { seed, isPromoted }: Orders['verdicts'][string]): Promise<void> {
    const app = triedApp(as);
    if (app === undefined) return;
    const trial = this.#actions.trialOf(app);
    if (trial?.app === as && trial.seed === seed) {
      if (!isPromoted) return this.#actions.closeTrial(app);
      await this.#actions.promote(app);
      this.#promoted.set(as, seed);
    } else if (!isPromoted && this.#promoted.get(as) === seed) {
      this.#promoted.delete(as);
      await this.#actions.goBack(app);
    }
  }

  #carryOut(what: string, generation: number, act: () => Promise<void>): void {
    this.#done.set(what, generation);
    void this.#run(what, act);
  }

  /** @returns once it is over, whether it failed or not */
  #run(what: string, act: () => Promise<void>): Promise<void> {
    const before = this.#outcomes.get(what) ?? Promise.resolve();
    const outcome = before.catch(() => {}).then(act);
    this.#outcomes.set(what, outcome);
    return outcome.catch((error: unknown) =>
      this.#fault(`an order to the fleet failed here (${what})`, error),
    );
  }

  #fault(reason: string, error: unknown): void {
    this.#log.error({ err: error }, `${reason}: ${messageOf(error)}`);
    this.#events.emit('fault', { reason, error });
  }
}
