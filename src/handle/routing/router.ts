import { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import { SessionTable } from '../../load/session-table.ts';
import { now, type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import type { Call } from '../call/call.ts';
import { UNKNOWN_CONFIG } from '../call/route-config.ts';
import { AdmissionControl } from '../queue/admission-control.ts';
import { Canary } from './canary.ts';
import { Connections } from './connections.ts';
import type { Connectors } from './connector.ts';
import { type Directory, type DirectoryEvent, type RouteKey, routeKey } from './directory.ts';
import { type CountedCalls, countedBy, EndedCounts, hasCounted } from './ended-counts.ts';
import { Route } from './route.ts';
import type { RouteKeeper, TendedRoute } from './route-keeper.ts';
import { Shadow } from './shadow.ts';
import type { TrafficSplit, TrafficSplitConfig } from './traffic-split.ts';
import { TrialRoute } from './trial-route.ts';

/** Interval at which a thread tends its routes, in ms. */
const TEND_MS = 50;

export interface RouterOptions {
  readonly connectors: Connectors;
  /** A response failed unobserved. */
  onUnobserved(error: unknown, call: Call): void;
  /** Admission control for calls of this thread. Default: calls are admitted already. */
  readonly gate?: AdmissionControl;
}

/** The thread that makes the calls: the host (index 0) or a replica's thread. */
export interface Caller {
  readonly index: number;
  readonly instanceId: string;
  /** Prefix of the request ids that this thread makes. */
  readonly name: string;
}

/**
 * The one router of a caller thread: the host has one, and every replica that holds a handle. It knows the routes to
 * the deployments that this thread calls, and follows the registry's events about their replicas.
 */
export class Router implements RouteKeeper {
  readonly #caller: Caller;
  readonly #directory: Directory;
  readonly #routes = new Map<RouteKey, Route>();
  readonly #connections: Connections;
  /** Routes with calls that wait, or that may have to move. */
  readonly #busy = new Set<TendedRoute>();
  readonly #onUnobserved: (error: unknown, call: Call) => void;
  readonly #gate: AdmissionControl;
  /** Error of every call once the router is closed. */
  #closedWith: unknown = undefined;
  /** Counts of ended routes. */
  readonly #ended = new EndedCounts();
  #tender: Timer | undefined = undefined;

  constructor(
    caller: Caller,
    directory: Directory,
    { connectors, onUnobserved, gate = new AdmissionControl() }: RouterOptions,
  ) {
    this.#caller = caller;
    this.#directory = directory;
    this.#onUnobserved = onUnobserved;
    this.#connections = new Connections(connectors, directory);
    this.#gate = gate;
  }

  /** Id of the instance that this thread belongs to. */
  get instanceId(): string {
    return this.#caller.instanceId;
  }

  /** Returns the route to a deployment; the first request subscribes. */
  route(app: string, deployment: string, key: RouteKey): Route {
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const route = new Route(app, deployment, this.#caller, this.#gate, this);
    this.#routes.set(key, route);
    if (this.#closedWith === undefined) {
      inRootContext(() => this.#directory.subscribe(key));
    } else {
      route.refuse(this.#closedWith);
      route.allListed();
    }
    return route;
  }

  routes(): IterableIterator<Route> {
    return this.#routes.values();
  }

  /** Takes this thread's counts since the last reading. */
  takeStats(): CountedCalls[] {
    const taken = this.#ended.take();
    for (const route of this.#routes.values()) if (isKnown(route)) taken.push(countedBy(route));
    return taken.filter(hasCounted);
  }

  apply(event: DirectoryEvent): void {
    const route = this.#routes.get(event.key);
    if (route === undefined) return;
    switch (event.type) {
      case 'route':
        route.app = event.app;
        route.deployment = event.deployment;
        route.adopt(
          new DeploymentLoad(event.load),
          new QueueLedger(event.queue),
          event.config,
          new SessionTable(event.sessions),
        );
        return;
      case 'config':
        route.configure(event.config);
        return;
      case 'up':
        this.#connections.add(route, event.link, event.replaces);
        return;
      case 'listed':
        void this.#connections.listed(route);
        return;
      case 'down':
        this.#directory.lost(event.replicaId, route.remove(event.replicaId, event.error));
        return;
      case 'moved':
        route.clearEndpoints();
        route.split = undefined;
        return;
      case 'split':
        route.split = event.split && this.#split(route, event.split);
        return;
      case 'failed':
        route.refuse(event.error);
        return;
      case 'gone':
        this.#routes.delete(event.key);
        route.close(event.error);
        if (isKnown(route)) this.#ended.add(countedBy(route));
        return;
    }
  }

  /** Closes every link; calls that run are rejected. */
  close(error: unknown): void {
    this.#closedWith = error;
    time.cancel(this.#tender);
    this.#tender = undefined;
    for (const route of this.#routes.values()) route.close(error);
    this.#routes.clear();
  }

  tend(route: TendedRoute): void {
    route.isTended = true;
    this.#busy.add(route);
    if (this.#tender !== undefined) return;
    // Not ref'ed: the wheel keeps the process alive while a call waits.
    this.#tender = time.every(TEND_MS, () => {
      const at = now();
      for (const busy of this.#busy) {
        busy.tend(at);
        busy.isTended = busy.isBusy;
        if (!busy.isTended) this.#busy.delete(busy);
      }
      if (this.#busy.size === 0) {
        time.cancel(this.#tender);
        this.#tender = undefined;
      }
    });
    this.#tender.unref();
  }

  unobserved(error: unknown, call: Call): void {
    this.#onUnobserved(error, call);
  }

  #split(route: Route, config: TrafficSplitConfig): TrafficSplit<Route> {
    const trial = new TrialRoute(() => this.route(config.app, '', routeKey(config.app, '')));
    return config.kind === 'canary' ? new Canary(trial, config) : new Shadow(trial, route.counters);
  }
}

/** Whether the deployment exists. Unknown names may be invented by clients and are not counted. */
function isKnown({ config }: Route): boolean {
  return config !== UNKNOWN_CONFIG;
}
