import type { CallChannel } from '../../channel/call-channel.ts';
import type { FleetHost, FleetNeeds } from '../../cluster/fleet-host.ts';
import type { FleetOptions } from '../../cluster/fleet-options.ts';
import type { FleetView } from '../../cluster/member/fleet-view.ts';
import type { OverrideChange } from '../../cluster/node/overrides.ts';
import { FLEET_TIMING } from '../../cluster/node/timing.ts';
import type { ScalingReport } from '../../controller/status.ts';
import { ServeError } from '../../errors.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { PeerLink } from '../../handle/routing/link.ts';
import type { FleetSample } from '../../observe/fleet-metrics.ts';
import type { PeerSample } from '../../observe/peer-metrics.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { InstanceControl } from '../control.ts';
import type { ResourceLedger } from '../resources/resource-ledger.ts';
import { FleetMembership, type FleetMembershipOptions } from './fleet-membership.ts';
import { FleetOrdering, type OrderingMembership } from './fleet-ordering.ts';
import { type OrderedActions, OrderFollower } from './fleet-orders.ts';
import { FleetTargets } from './fleet-targets.ts';

/** Time for which an instance that leaves its fleet waits for replicas elsewhere, in ms. */
const LEAVE_MS = 20_000;

/** The settings of an instance's part in a fleet. */
export interface FleetPart {
  readonly options: FleetOptions;
  /** File of the fleet thread's entry. */
  readonly entry: string;
}

export interface InstanceFleetOptions extends Omit<FleetNeeds, 'entry'> {
  readonly resources: ResourceLedger;
}

/** The parts of a running instance that its membership works with. */
export interface MembershipNeeds
  extends Pick<FleetMembershipOptions, 'codeVersion' | 'apps' | 'lagMs' | 'targetsChanged'> {
  readonly control: InstanceControl;
  readonly actions: OrderedActions;
}

/** An instance's part in a fleet: its fleet thread, and its membership if it finds its peers in Redis. */
export class InstanceFleet implements OrderingMembership {
  /** Name of the fleet that the instance finds in Redis; undefined if its peers are given. */
  readonly name: string | undefined;
  /** The numbers of replicas that the fleet wants here; undefined if the instance decides itself. */
  readonly decided: FleetTargets | undefined;
  readonly #part: FleetPart;
  readonly #options: InstanceFleetOptions;
  #starting: Promise<FleetHost> | undefined = undefined;
  #host: FleetHost | undefined = undefined;
  #membership: FleetMembership | undefined = undefined;
  #unfollow: (() => void) | undefined = undefined;

  constructor(part: FleetPart, options: InstanceFleetOptions) {
    const { membership, name } = part.options;
    this.#part = part;
    this.#options = options;
    this.name = membership && name;
    this.decided = membership && new FleetTargets();
  }

  /** Resolves with the host of the fleet thread, whose code is loaded when the instance starts. */
  get host(): Promise<FleetHost> {
    if (this.#starting === undefined) throw new TypeError('the fleet was not started');
    return this.#starting;
  }

  /** The fleet as this instance sees it; undefined until it has joined. */
  get view(): FleetView | undefined {
    return this.#membership?.view;
  }

  /** The last decision of the fleet's autoscaling about a deployment; undefined where this instance does not lead. */
  scalingOf(key: RouteKey): ScalingReport | undefined {
    return this.#membership?.scalingOf(key);
  }

  /** The state of the fleet for the metrics; undefined until the instance has joined. */
  get sample(): FleetSample | undefined {
    const { view } = this;
    if (view === undefined) return undefined;
    const { peers, desiredInstances, isLeading, refusedPlans } = view;
    const instances = 1 + peers.filter(({ state }) => state !== 'DEAD').length;
    const counts = this.#host?.counts ?? {};
    return { instances, desiredInstances, isLeading, refusedPlans, counts };
  }

  /** The calls to peers; undefined until the fleet thread is started. */
  get peerSample(): PeerSample | undefined {
    return this.#host?.peerSample;
  }

  /** Reasons for which instances get no calls, by instance. */
  get ejected(): ReadonlyMap<string, string> {
    return this.#host?.ejected ?? new Map();
  }

  start(needs: MembershipNeeds): void {
    const { log, events } = this.#options;
    const orders = new OrderFollower(needs.actions, events, log);
    // Orders that are given before the thread runs wait for it.
    if (this.decided !== undefined) needs.control.fleet = new FleetOrdering(this, orders, log);
    this.#starting = this.#start(needs, orders);
    this.#starting.catch((error: unknown) => {
      const reason = 'the fleet thread could not be started';
      log.error({ err: error }, `${reason}: ${messageOf(error)}`);
      events.emit('fault', { reason, error });
    });
  }

  /** Connects the host's router with a deployment of a peer. */
  connect(link: PeerLink, onGone: () => void): CallChannel {
    if (this.#host === undefined) throw new TypeError('the fleet thread is gone');
    return this.#host.link(link, onGone);
  }

  /** Changes the whole fleet. @throws ServeError `SERVE_UNAVAILABLE` */
  async command(change: OverrideChange): Promise<void> {
    await this.#starting?.catch(() => {});
    if (this.#membership === undefined)
      throw new ServeError('SERVE_UNAVAILABLE', 'the fleet thread could not be started');
    await this.#membership.command(change);
  }

  /** Whether Redis answers, or answers before the instance has to decide alone. */
  async reached(): Promise<boolean> {
    await this.#starting?.catch(() => {});
    return (await this.#membership?.reached()) === true;
  }

  /** Whether the fleet is as a condition says, or is told to be soon. */
  async sees(condition: (view: FleetView) => boolean): Promise<boolean> {
    return (await this.#membership?.sees(condition)) === true;
  }

  /** Leaves the fleet, and lets no more calls of peers in: those that are here go on. */
  async leave(timeoutMs: number = LEAVE_MS): Promise<void> {
    const host = await this.#starting?.catch(() => undefined);
    await this.#membership?.leave(timeoutMs);
    this.#unfollow?.();
    host?.drain();
  }

  /** Ends the links and the fleet thread. */
  async close(): Promise<void> {
    this.#membership?.close();
    await this.#host?.close();
  }

  async #start(needs: MembershipNeeds, orders: OrderFollower): Promise<FleetHost> {
    const { FleetHost: Host } = await import('../../cluster/fleet-host.ts');
    const { options, entry } = this.#part;
    const { resources, ...own } = this.#options;
    const membership = options.membership && { ...options.membership, ...resources.offered() };
    const host = new Host({ ...options, ...(membership && { membership }) }, { ...own, entry });
    this.#host = host;
    if (this.decided !== undefined) this.#join(host, this.decided, orders, needs);
    return host;
  }

  #join(thread: FleetHost, targets: FleetTargets, orders: OrderFollower, needs: MembershipNeeds): void {
    const { instanceId, registry, events, log } = this.#options;
    const { control, actions: _, ...rest } = needs;
    const snapshot = (): ReturnType<FleetMembershipOptions['snapshot']> => control.snapshot;
    const membership = new FleetMembership({
      ...rest,
      orders,
      instanceId,
      registry,
      events,
      log,
      targets,
      thread,
      // A working thread that reaches no other instance acts alone after a third of this time.
      silentMs: 3 * (this.#part.options.membership?.timing ?? FLEET_TIMING).aloneMs + 1_000,
      snapshot,
    });
    this.#membership = membership;
    this.#unfollow = control.watch((next) => membership.follow(next));
  }
}
