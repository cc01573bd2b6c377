import type { FleetView } from '../../cluster/member/fleet-view.ts';
import type { ConfigOrder, OverrideChange } from '../../cluster/node/overrides.ts';
import { namesCount } from '../../cluster/node/overrides.ts';
import type { ScalingReport } from '../../controller/status.ts';
import type { AutoscalingConfig } from '../../deployment/options/autoscaling-config.ts';
import type { DeploymentOptions } from '../../deployment/options/deployment-options.ts';
import { ServeError } from '../../errors.ts';
import { namesOf, type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../../handle/routing/traffic-split.ts';
import type { Logger } from '../../observe/logger.ts';
import { entryOf } from '../../store/snapshot.ts';
import type { Change } from '../../store/store.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { FleetControl } from '../control.ts';
import { fleetChange } from './fleet-commands.ts';
import type { OrderFollower } from './fleet-orders.ts';

/** The part of the membership that orders need. */
export interface OrderingMembership {
  readonly view: FleetView | undefined;
  command(change: OverrideChange): Promise<void>;
  scalingOf(key: RouteKey): ScalingReport | undefined;
  /** Whether the fleet is as a condition says, or is told to be soon. */
  sees(condition: (view: FleetView) => boolean): Promise<boolean>;
  /** Resolves with whether the fleet's Redis answers: at the latest once the instance decides alone. */
  reached(): Promise<boolean>;
}

/** The orders of an instance to its whole fleet. */
export class FleetOrdering implements FleetControl {
  readonly #membership: OrderingMembership;
  readonly #follower: OrderFollower;
  readonly #log: Logger;

  constructor(membership: OrderingMembership, follower: OrderFollower, log: Logger) {
    this.#membership = membership;
    this.#follower = follower;
    this.#log = log;
  }

  change(change: Change): Promise<void> | undefined {
    const sent = fleetChange(change);
    return sent && this.#membership.command(sent);
  }

  scalingOf(key: RouteKey): ScalingReport | undefined {
    return this.#membership.scalingOf(key);
  }

  async order(change: OverrideChange): Promise<void> {
    await this.#membership.command(change);
    if (change.kind === 'delete') this.#follower.deleted(change.app, this.#generation);
    if (change.kind === 'verdict' || change.kind === 'rollback')
      await this.#follower.done(`${change.kind} ${change.app}`);
  }

  async configure(order: ConfigOrder, isNew: boolean): Promise<boolean> {
    try {
      // The fleet thread knows why Redis takes no orders, if it has joined.
      if (!(await this.#membership.reached()) && this.#membership.view === undefined)
        throw new ServeError('SERVE_UNAVAILABLE', 'the store of the fleet is not reachable');
      await this.#membership.command({ kind: 'deploy', ...order });
    } catch (error) {
      if (!isNew) throw error;
      this.#log.warn({ err: error }, `the config applies to this instance only: ${messageOf(error)}`);
      return false;
    }
    for (const app of order.deleted) this.#follower.deleted(app, this.#generation);
    return true;
  }

  optionsOf(app: string, deployment: string, own: DeploymentOptions): DeploymentOptions {
    return this.#follower.optionsOf(app, deployment, own);
  }

  autoscalingOf(key: RouteKey): AutoscalingConfig | undefined {
    const counts = entryOf(this.#follower.orders.configs, key)?.counts;
    return counts !== undefined && namesCount(counts) ? counts.autoscaling : undefined;
  }

  async verdictOn(app: string, seed: number): Promise<'promoted' | 'rolled back' | undefined> {
    await this.#membership.reached();
    const verdict = entryOf(this.#follower.orders.verdicts, app);
    if (verdict?.seed !== seed) return undefined;
    return verdict.isPromoted ? 'promoted' : 'rolled back';
  }

  trialOf(app: string): TrafficSplitConfig | undefined {
    return entryOf(this.#membership.view?.trials ?? {}, app);
  }

  isInFleet(app: string, deployment?: string): boolean {
    const totals = this.#membership.view?.totals ?? {};
    if (deployment !== undefined) return Object.hasOwn(totals, routeKey(app, deployment));
    return Object.keys(totals).some((key) => namesOf(key as RouteKey)[0] === app);
  }

  mayGoBack(app: string): Promise<boolean> {
    return this.#membership.sees(({ peers }) =>
      peers.some(({ state, revertible }) => state !== 'DEAD' && revertible?.includes(app) !== false),
    );
  }

  get #generation(): number {
    return this.#membership.view?.generation ?? 0;
  }
}
