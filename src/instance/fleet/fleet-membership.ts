import { isDeepStrictEqual } from 'node:util';
import type { Declaration } from '../../cluster/documents.ts';
import type { FromMember, ToFleet } from '../../cluster/fleet-control.ts';
import type { FleetHost } from '../../cluster/fleet-host.ts';
import type { FleetView } from '../../cluster/member/fleet-view.ts';
import type { Consultation } from '../../cluster/node/events.ts';
import type { OverrideChange } from '../../cluster/node/overrides.ts';
import type { ScalingReport } from '../../controller/status.ts';
import { ServeError } from '../../errors.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { Events } from '../../observe/events.ts';
import { LogLimiter } from '../../observe/log-limiter.ts';
import type { Logger } from '../../observe/logger.ts';
import { entryOf, type Snapshot } from '../../store/snapshot.ts';
import { type Timer, time } from '../../time/clock.ts';
import { within, withTimeout } from '../../time/timeout.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import { type DeclaredExtras, declareApps } from './declare-apps.ts';
import { FleetDecisions } from './fleet-decisions.ts';
import type { OrderFollower } from './fleet-orders.ts';
import { FleetPolicies } from './fleet-policies.ts';
import type { FleetTargets } from './fleet-targets.ts';
import { LocalLoads } from './local-loads.ts';

/** Period of the reports to the fleet thread, in ms. */
const REPORT_MS = 250;
/** Time limit of an order, in ms: the fleet thread gives up after one second, and may be gone. */
const COMMAND_MS = 5_000;
/** Longest wait for news of a peer, in ms. A change reaches the others after at most three periods of 250 ms. */
const NEWS_MS = 1_000;
/** Longest wait for the orders of a fleet whose Redis has answered already, in ms: they may be unreadable. */
const ORDERS_MS = 5_000;
/** Time beyond its limit that an orderly leave may take, in ms. */
const LEAVE_GRACE_MS = 2_000;

export interface FleetMembershipOptions {
  readonly instanceId: string;
  readonly codeVersion: string;
  readonly registry: EndpointRegistry;
  readonly events: Events;
  readonly log: Logger;
  readonly targets: FleetTargets;
  readonly thread: Pick<FleetHost, 'post' | 'onMember'>;
  /** Time without a word from the fleet thread after which the instance decides by itself, in ms. */
  readonly silentMs: number;
  apps(): Iterable<AppRuntime>;
  snapshot(): Snapshot;
  lagMs(): number;
  /** The fleet wants other numbers of replicas. */
  targetsChanged(): void;
  /** Carries out what people ordered of the fleet. */
  readonly orders: OrderFollower;
}

/** The instance's membership of a fleet: tells the fleet what it declares and runs, and takes what the fleet decides. */
export class FleetMembership {
  readonly #options: FleetMembershipOptions;
  readonly #loads: LocalLoads;
  readonly #log: LogLimiter;
  readonly #commands = new Map<number, PromiseWithResolvers<void>>();
  readonly #left = Promise.withResolvers<void>();
  readonly #policies: FleetPolicies;
  readonly #decisions: FleetDecisions;
  /** Resolves once Redis has answered, or the instance decides without. */
  readonly #reached = Promise.withResolvers<void>();
  /** Resolves once the orders of the fleet have been read. */
  readonly #ordered = Promise.withResolvers<void>();
  readonly #reports: Timer;
  /** Ends the wait for the first word of the fleet. */
  readonly #silence: Timer;
  /** Called with each view. */
  readonly #watchers = new Set<(view: FleetView) => void>();
  #lastCommand = 0;
  #declaration: Declaration | undefined = undefined;
  #view: FleetView | undefined = undefined;
  #isLeaving = false;

  constructor(options: FleetMembershipOptions) {
    this.#options = options;
    this.#loads = new LocalLoads(options);
    this.#policies = new FleetPolicies(options);
    this.#decisions = new FleetDecisions(options.events, options.log);
    this.#log = new LogLimiter(options.log);
    options.thread.onMember({
      started: () => {
        // Orders to an earlier life of the thread are not answered any more.
        this.#failCommands('the fleet thread was restarted');
        const declaration = this.#declaration;
        if (declaration === undefined) return;
        this.#post({ type: 'declare', declaration });
        this.#report();
      },
      received: (message) => this.#receive(message),
    });
    this.#reports = time.every(REPORT_MS, () => this.#report());
    this.#reports.unref();
    this.#silence = time.after(options.silentMs, () => this.#decideAlone());
    this.#silence.unref();
    this.follow(options.snapshot());
  }

  /** The fleet as this instance sees it; undefined until it has joined. */
  get view(): FleetView | undefined {
    return this.#view;
  }

  /** The last decision of the fleet's autoscaling about a deployment; undefined where this instance does not lead. */
  scalingOf(key: RouteKey): ScalingReport | undefined {
    return this.#decisions.report(key);
  }

  /** Declares the apps of this instance, if they changed. */
  follow({ declarations, overrides }: Snapshot): void {
    const { instanceId, codeVersion } = this.#options;
    const apps = Object.values(entryOf(declarations, instanceId)?.apps ?? {});
    const prefixes = new Map([...this.#options.apps()].map(({ name, routePrefix }) => [name, routePrefix]));
    const { orders } = this.#options;
    const extras: DeclaredExtras = {
      routePrefixOf: (app) => prefixes.get(app) ?? null,
      liftsOf: (app) => orders.deletionOf(app),
      configuredOf: (key) => orders.configuredOf(key),
      policyOf: (app, deployment) => this.#policies.kindOf(app, deployment),
    };
    const declaration = declareApps(apps, codeVersion, overrides.trials, extras);
    if (isDeepStrictEqual(declaration, this.#declaration)) return;
    this.#declaration = declaration;
    this.#post({ type: 'declare', declaration });
  }

  /**
   * Changes the whole fleet. @throws ServeError `SERVE_UNAVAILABLE` while Redis is away
   */
  async command(change: OverrideChange): Promise<void> {
    const id = ++this.#lastCommand;
    const done = Promise.withResolvers<void>();
    this.#commands.set(id, done);
    this.#post({ type: 'command', id, change });
    const late = () =>
      new ServeError('SERVE_UNAVAILABLE', `the fleet did not answer within ${COMMAND_MS} ms`);
    try {
      await withTimeout(done.promise, COMMAND_MS, late);
    } finally {
      this.#commands.delete(id);
    }
  }

  /**
   * Whether Redis answers, or answers before the instance has to decide alone. The view tells the orders of the fleet then,
   * which Redis does not say with its first answer.
   */
  async reached(): Promise<boolean> {
    await this.#reached.promise;
    if (this.#view?.isStoreUp === true) await within(ORDERS_MS, this.#ordered.promise);
    return this.#view?.isStoreUp === true;
  }

  /** Whether the fleet is as a condition says, or is told to be within a second. */
  async sees(condition: (view: FleetView) => boolean): Promise<boolean> {
    const seen = Promise.withResolvers<void>();
    let isTrue = false;
    const look = (view: FleetView): void => {
      isTrue = condition(view);
      if (isTrue) seen.resolve();
    };
    if (this.#view !== undefined) look(this.#view);
    if (isTrue) return true;
    this.#watchers.add(look);
    await within(NEWS_MS, seen.promise);
    this.#watchers.delete(look);
    return isTrue;
  }

  /** Leaves the fleet: the replicas move elsewhere first. Resolves at the latest after `timeoutMs` and two seconds. */
  async leave(timeoutMs: number): Promise<void> {
    // The fleet does not know an instance that never joined.
    if (this.#isLeaving || this.#view === undefined) return;
    this.#isLeaving = true;
    this.#post({ type: 'leave', timeoutMs });
    await within(timeoutMs + LEAVE_GRACE_MS, this.#left.promise);
  }

  close(): void {
    time.cancel(this.#reports);
    time.cancel(this.#silence);
    this.#log.close();
    this.#left.resolve();
    this.#reached.resolve();
    this.#ordered.resolve();
    this.#failCommands('the instance is closed');
  }

  /** The fleet thread cannot work, or cannot reach anything: replicas must run nevertheless. */
  #decideAlone(): void {
    const { targets, targetsChanged, log, silentMs } = this.#options;
    log.warn(
      {},
      `the fleet thread has been silent for ${silentMs} ms: the instance decides by itself until it answers`,
    );
    targets.isSilent = true;
    this.#reached.resolve();
    targetsChanged();
  }

  #failCommands(why: string): void {
    const error = new ServeError('SERVE_UNAVAILABLE', why);
    for (const { reject } of this.#commands.values()) reject(error);
    this.#commands.clear();
  }

  #receive(message: FromMember): void {
    const { targets, targetsChanged, events } = this.#options;
    switch (message.type) {
      case 'apply':
        time.cancel(this.#silence);
        if (message.cause === 'alone') this.#reached.resolve();
        targets.apply(message);
        targetsChanged();
        return;
      case 'view':
        this.#see(message.view);
        return;
      case 'consult':
        this.#consult(message.consultations);
        return;
      case 'member':
        this.#log.write(
          'info',
          [message.isAlive ? 'up' : 'gone', message.id],
          { instance: message.id },
          `instance ${message.id} ${message.isAlive ? 'is part of the fleet' : 'is no longer part of the fleet'}`,
        );
        events.emit('peer', { instance: message.id, state: message.isAlive ? 'UP' : 'DEAD' });
        return;
      case 'commandDone': {
        const open = this.#commands.get(message.id);
        if (message.failure === undefined) open?.resolve();
        else open?.reject(new ServeError('SERVE_UNAVAILABLE', message.failure));
        return;
      }
      case 'fault':
        this.#log.write('warn', ['fault', message.cause], { reason: message.cause }, message.message);
        events.emit('fault', { reason: message.cause, error: new Error(message.message) });
        return;
      case 'left':
        this.#left.resolve();
        return;
    }
  }

  #see(view: FleetView): void {
    const { events, orders } = this.#options;
    const before = this.#view;
    this.#view = view;
    if (view.leader !== before?.leader) {
      const message = `instance ${view.leader ?? '(none)'} leads the fleet`;
      this.#log.write('info', ['leader', view.leader ?? ''], { leader: view.leader }, message);
      events.emit('leader', { instance: view.leader });
    }
    // A plan comes from the store, over a link, or from the instance itself, alone.
    if (view.isStoreUp || view.plan !== 0) this.#reached.resolve();
    this.#decisions.follow(view);
    orders.follow(view);
    if (view.areOrdersKnown) this.#ordered.resolve();
    for (const look of this.#watchers) look(view);
  }

  #consult(consultations: readonly Consultation[]): void {
    this.#post({ type: 'advice', wishes: this.#policies.ask(consultations) });
  }

  #report(): void {
    const { apps, lagMs } = this.#options;
    const all = [...apps()];
    const loads = this.#loads.read(
      all,
      (app, deployment) => this.#policies.kindOf(app, deployment) !== undefined,
    );
    this.#post({
      type: 'report',
      loads,
      lagMs: Math.round(lagMs()),
      isReady: all.length > 0 && all.every(({ isRoutable }) => isRoutable),
      revertible: all.filter(({ previous }) => previous !== undefined).map(({ name }) => name),
    });
    for (const [key, { queued, running, target }] of Object.entries(loads))
      if (queued > 0 && running === 0 && target === 0) this.#post({ type: 'demand', key: key as RouteKey });
  }

  #post(message: ToFleet): void {
    this.#options.thread.post(message);
  }
}
