import type { CallMeta } from '../../src/channel/frames.ts';
import { ServeError } from '../../src/errors.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../../src/handle/call/route-config.ts';
import { type RouteKey, routeKey } from '../../src/handle/routing/directory.ts';
import type { Route } from '../../src/handle/routing/route.ts';
import { Router } from '../../src/handle/routing/router.ts';
import { threadConnector } from '../../src/handle/routing/thread-link.ts';
import { DeploymentLoad, QueueLedger } from '../../src/load/deployment-load.ts';
import { SessionTable } from '../../src/load/session-table.ts';
import { SimulatedCall } from './simulated-call.ts';
import { type Nature, SimulatedReplica } from './simulated-replica.ts';
import { VirtualThread, type VirtualTime } from './virtual-time.ts';
import { Errand, type Work } from './work.ts';

/** The wheel's ticker ends within two of its ticks, the tender within one. */
const REST_MS = 100;

export interface SimulatedOptions {
  readonly replicas: number;
  /** `maxOngoingRequests`. Default 16. */
  readonly limit?: number;
  /** `maxQueuedRequests`. Default 1,000. */
  readonly maxQueued?: number;
  readonly config?: Partial<RouteConfig>;
  /** What is special about a replica, by its index. */
  readonly nature?: (index: number) => Nature;
}

export interface CallOptions {
  readonly deadlineMs?: number;
  readonly meta?: CallMeta;
  readonly onEnded?: (call: SimulatedCall) => void;
}

const KEY: RouteKey = routeKey('app', 'Simulated');

/** A deployment as one caller thread sees it: the shipped router in front of replicas on virtual threads. */
export class SimulatedDeployment {
  readonly time: VirtualTime;
  readonly load: DeploymentLoad = new DeploymentLoad();
  readonly route: Route;
  readonly replicas: SimulatedReplica[] = [];
  readonly #router: Router;
  readonly #thread = new VirtualThread();
  readonly #options: SimulatedOptions;
  #open = 0;
  #started = 0;

  private constructor(time: VirtualTime, options: SimulatedOptions) {
    this.time = time;
    this.#options = options;
    const caller = { index: 0, instanceId: 'simulated', name: 's' };
    const routerOptions = {
      connectors: {
        thread: threadConnector,
        inline: { connect: () => Promise.reject(new Error('no replica is inline')) },
      },
      onUnobserved() {},
    };
    this.#router = new Router(caller, { subscribe() {}, replaced() {}, lost() {} }, routerOptions);
    this.route = this.#router.route('app', 'Simulated', KEY);
    this.load.maxQueued = options.maxQueued ?? 1_000;
    this.#router.apply({
      type: 'route',
      app: 'app',
      key: KEY,
      deployment: 'Simulated',
      load: this.load.shared,
      queue: new QueueLedger().shared,
      sessions: new SessionTable().shared,
      config: { ...UNKNOWN_CONFIG, requestTimeoutMs: 0, ...options.config },
    });
  }

  static async start(time: VirtualTime, options: SimulatedOptions): Promise<SimulatedDeployment> {
    const deployment = new SimulatedDeployment(time, options);
    for (let index = 0; index < options.replicas; index++) await deployment.startReplica();
    return deployment;
  }

  /** Calls that have not ended. */
  get open(): number {
    return this.#open;
  }

  async startReplica(): Promise<void> {
    const { limit = 16, nature } = this.#options;
    const index = this.#started++;
    const special = nature?.(index) ?? {};
    const replica = await SimulatedReplica.start(`replica-${index}`, limit, this.time, this.load, special);
    this.replicas.push(replica);
    this.time.inThread(this.#thread, () =>
      this.#router.apply({ type: 'up', key: KEY, link: replica.link(this.#thread), replaces: undefined }),
    );
  }

  /** Takes the youngest replica out of the routing; its calls run on. */
  stopReplica(): void {
    const replica = this.replicas.pop();
    const { replicaId } = replica ?? {};
    if (replicaId === undefined) return;
    replica?.drain(() =>
      this.time.inThread(this.#thread, () =>
        this.time.soon(() => this.#router.apply({ type: 'down', key: KEY, replicaId, error: undefined })),
      ),
    );
  }

  call(work: Work, { deadlineMs, meta, onEnded }: CallOptions = {}): void {
    const errand = new Errand(work, meta?.tenant ?? '', meta?.multiplexedModelId);
    const call = new SimulatedCall(this.route, 'call', errand, (ended) => {
      this.#open--;
      onEnded?.(ended);
    });
    this.#open++;
    call.priorityRank = meta?.priority ?? 1;
    if (meta !== undefined) call.meta = meta;
    this.time.inThread(this.#thread, () => {
      this.route.begin(call, deadlineMs === undefined ? 0 : this.time.now() + deadlineMs);
      this.route.dispatch(call);
    });
  }

  /** Lets the calls end that are open; those that are still open at `latest` are ended. */
  async finish(latest: number): Promise<void> {
    while (this.#open > 0 && this.time.now() < latest) await this.time.advanceTo(this.time.now() + REST_MS);
    const error = new ServeError('SERVE_UNAVAILABLE', 'the simulation is over');
    this.time.inThread(this.#thread, () => this.#router.close(error));
    await this.time.advanceTo(this.time.now() + REST_MS);
  }
}

/** Calls `each` at the given times, which ascend, with their index. */
export function arrive(time: VirtualTime, times: ArrayLike<number>, each: (index: number) => void): void {
  const next = (index: number): void => {
    const at = times[index];
    if (at === undefined) return;
    time.at(at, () => {
      each(index);
      next(index + 1);
    });
  };
  next(0);
}
