import { METHOD_HTTP, METHOD_WEBSOCKET } from '../../channel/frames.ts';
import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import { ServeError } from '../../errors.ts';
import type { RouteConfig } from '../../handle/call/route-config.ts';
import type { Route } from '../../handle/routing/route.ts';
import { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import { REPLICA_STATE, type ReplicaLoad } from '../../load/load-table.ts';
import type { ModelTable } from '../../load/model-table.ts';
import { now, time } from '../../time/clock.ts';
import type { PeerEndpoint, PeerReplica } from './endpoint-table.ts';
import { KeyedPeerRuns } from './inbound/keyed-run.ts';
import { describeModels } from './models/peer-models.ts';
import { type HostPlaces, HostWindows } from './windows/host-windows.ts';

/** A deployment of this instance that peers call. */
export class ServedDeployment implements HostPlaces {
  readonly route: Route;
  readonly windows: HostWindows;
  /** The calls of peers that have an idempotency key. */
  readonly keyed: KeyedPeerRuns;
  readonly #loads: ReadonlyMap<string, ReplicaLoad>;
  config: RouteConfig;
  maxQueued: number;
  isIngress = false;
  /** Tables that all threads of the instance share. */
  #shared: { readonly load: DeploymentLoad; readonly ledger: QueueLedger } | undefined = undefined;
  #isWatching = false;
  /** Numbers by which answers name the replicas. */
  readonly #numbers = new Map<string, number>();
  #lastNumber = 0;
  /** Sum of the revisions of the replicas' models, as last described. */
  #modelsRevision = 0;

  /** @param loads of the replicas of this instance, by id */
  constructor(route: Route, loads: ReadonlyMap<string, ReplicaLoad>, config: RouteConfig, maxQueued: number) {
    this.route = route;
    this.config = config;
    this.maxQueued = maxQueued;
    this.#loads = loads;
    this.keyed = new KeyedPeerRuns(route, () => this.giveBack());
    this.windows = new HostWindows(
      this,
      time,
      () => this.#watch(),
      () => this.#rejectWaiting('long calls hold all its places on this instance'),
    );
  }

  get places(): number {
    return this.route.endpoints.reduce((sum, { channel }) => sum + channel.limit, 0);
  }

  /** Places that the replicas are open for, minus the calls in any thread that wait for one of them. */
  get free(): number {
    let free = 0;
    for (const { replicaId } of this.route.endpoints) {
      const load = this.#loads.get(replicaId);
      if (load?.state === REPLICA_STATE.ready)
        free += Math.max(0, Math.min(load.limit, load.open) - load.ongoing);
    }
    return Math.max(0, free - (this.#shared?.load.competing ?? 0));
  }

  /** Whether the replicas hold other models than were described. */
  get hasModelNews(): boolean {
    return revisionOf(this.#models) !== this.#modelsRevision;
  }

  /** Describes the deployment for peers; undefined while it has no replica. */
  describe(number: number, revision: number): PeerEndpoint | undefined {
    const { endpoints, app, deployment } = this.route;
    const newest = endpoints.at(-1);
    if (newest === undefined) return undefined;
    const methods = new Set(endpoints.flatMap(({ channel }) => [...channel.methods.keys()]));
    const { places, isIngress, config, maxQueued } = this;
    const models = this.#models;
    this.#modelsRevision = revisionOf(models);
    return {
      number,
      app,
      deployment,
      version: newest.version,
      methods: [...methods],
      revision,
      places,
      replicas: this.#describeReplicas(),
      models: describeModels(models, now()),
      isIngress,
      // The weights of tenants are those of the instance where a call enters.
      config: { ...config, tenants: undefined },
      maxQueued,
    };
  }

  /** Returns the number by which answers name a replica; 0 = unknown. */
  numberOf(replicaId: string | undefined): number {
    return replicaId === undefined ? 0 : (this.#numbers.get(replicaId) ?? 0);
  }

  adopt(load: SharedArrayBuffer, ledger: SharedArrayBuffer): void {
    this.#shared = { load: new DeploymentLoad(load), ledger: new QueueLedger(ledger) };
    if (this.windows.isAwaited) this.#watch();
  }

  /** A call of a peer was taken back from a replica: it waits for another one, and goes back to its peer if there is none. */
  takenBack(): void {
    this.windows.takenBack();
    if (this.route.endpoints.length === 0) queueMicrotask(() => this.giveBack());
  }

  /** Gives the calls that wait here back to their peers, if there is no replica for which they could wait. */
  giveBack(): void {
    if (this.route.endpoints.length === 0)
      this.#rejectWaiting('its last replica on this instance has stopped');
  }

  close(): void {
    this.windows.close();
    this.#shared?.load.endWaits();
  }

  /** Gives the calls that have not begun back to their callers. */
  #rejectWaiting(why: string): void {
    const { app, deployment } = this.route;
    this.route.rejectWaiting(
      new ServeError('SERVE_UNAVAILABLE', `${deployment}: ${why}`, { app, deployment }),
    );
  }

  #describeReplicas(): PeerReplica[] {
    const ids = this.route.endpoints.map(({ replicaId }) => replicaId);
    for (const known of this.#numbers.keys()) if (!ids.includes(known)) this.#numbers.delete(known);
    return ids.map((id) => {
      const number = this.#numbers.get(id) ?? ++this.#lastNumber;
      this.#numbers.set(id, number);
      return { number, id };
    });
  }

  get #models(): ModelTable[] {
    return this.route.endpoints.flatMap(({ replicaId }) => this.#loads.get(replicaId)?.models ?? []);
  }

  /** Awaits places that other threads free, while callers wait for them. */
  #watch(): void {
    if (this.#isWatching || this.#shared === undefined) return;
    this.#isWatching = true;
    const { load, ledger } = this.#shared;
    load.arm(ledger);
    const look = (): void => {
      const seen = load.freedSequence;
      this.windows.freed();
      if (this.windows.isAwaited) {
        void load.waitFreed(seen).then(look);
        return;
      }
      this.#isWatching = false;
      load.disarm(ledger);
    };
    // The windows may be in the middle of a change.
    time.soon(look);
  }
}

function revisionOf(models: readonly ModelTable[]): number {
  return models.reduce((sum, { revision }) => (sum + revision) | 0, models.length);
}

/** Returns the name of a method that a peer gives by its index; undefined if the index is unknown. */
export function methodAt({ methods }: PeerEndpoint, index: number): string | undefined {
  if (index === METHOD_HTTP) return HTTP_METHOD_NAME;
  return index === METHOD_WEBSOCKET ? WEBSOCKET_METHOD_NAME : methods[index];
}
