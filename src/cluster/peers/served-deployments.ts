import type { RouteConfig } from '../../handle/call/route-config.ts';
import { namesOf, type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { Route } from '../../handle/routing/route.ts';
import type { ReplicaLoad } from '../../load/load-table.ts';
import type { EndpointsStatus, PeerEndpoint } from './endpoint-table.ts';
import { ServedDeployment } from './served-deployment.ts';

/** A deployment with the number under which peers call it; another set of methods gets another number. */
interface Numbered {
  readonly served: ServedDeployment;
  endpoint: PeerEndpoint;
}

/** The deployments of this instance that peers call, and their numbers. */
export class ServedDeployments {
  readonly #loads: ReadonlyMap<string, ReplicaLoad>;
  readonly #onChange: (status: EndpointsStatus) => void;
  readonly #byKey = new Map<RouteKey, ServedDeployment>();
  readonly #byNumber = new Map<number, Numbered>();
  /** Current number of each deployment that has replicas. */
  readonly #numbers = new Map<ServedDeployment, number>();
  /** The deployment to which calls to each app go. */
  readonly #ingress = new Map<string, string>();
  #last = 0;
  /** Number of the last description. */
  #revision = 0;

  /**
   * @param loads of the replicas of this instance, by id
   * @param onChange peers must be told
   */
  constructor(loads: ReadonlyMap<string, ReplicaLoad>, onChange: (status: EndpointsStatus) => void) {
    this.#loads = loads;
    this.#onChange = onChange;
  }

  add(key: RouteKey, route: Route, config: RouteConfig, maxQueued: number): void {
    let served = this.#byKey.get(key);
    if (served?.route !== route) {
      this.remove(key);
      served = new ServedDeployment(route, this.#loads, config, maxQueued);
      this.#byKey.set(key, served);
    }
    served.config = config;
    served.maxQueued = maxQueued;
    this.#lookAtIngress(key);
  }

  /** Calls to an app go to this deployment. */
  setIngress(app: string, deployment: string): void {
    this.#ingress.set(app, deployment);
    for (const key of this.#byKey.keys()) if (namesOf(key)[0] === app) this.#lookAtIngress(key);
  }

  remove(key: RouteKey): void {
    const served = this.#byKey.get(key);
    if (served === undefined) return;
    this.#byKey.delete(key);
    this.#withdraw(served);
    served.close();
  }

  /** The shared tables of a deployment arrived. */
  adopt(key: RouteKey, load: SharedArrayBuffer, ledger: SharedArrayBuffer): void {
    this.#byKey.get(key)?.adopt(load, ledger);
  }

  /** The replicas of any deployment may have changed. */
  lookAll(): void {
    for (const key of this.#byKey.keys()) this.look(key);
  }

  /** The replicas of a deployment may have changed. */
  look(key: RouteKey): void {
    const served = this.#byKey.get(key);
    if (served === undefined) return;
    const number = this.#numbers.get(served);
    const before = number === undefined ? undefined : this.#byNumber.get(number)?.endpoint;
    const endpoint = served.describe(number ?? this.#last + 1, this.#revision + 1);
    if (endpoint === undefined) {
      this.#withdraw(served);
    } else if (before === undefined || number === undefined) {
      this.#offer(served, endpoint, []);
    } else if (isOther(before, endpoint)) {
      this.#offer(served, { ...endpoint, number: this.#last + 1 }, [number]);
    } else if (contentOf(before) !== contentOf(endpoint)) {
      this.#revision = endpoint.revision;
      this.#byNumber.set(number, { served, endpoint });
      this.#onChange({ kind: 'endpoints', endpoints: [endpoint], gone: [] });
    }
    served.windows.freed();
  }

  /** A replica may hold other models: peers are told. */
  lookAtModels({ route, hasModelNews }: ServedDeployment): void {
    if (hasModelNews) this.look(routeKey(route.app, route.deployment));
  }

  /** The models of a replica have changed. */
  modelsChanged(replicaId: string): void {
    for (const served of this.#byKey.values())
      if (served.route.endpoints.some((endpoint) => endpoint.replicaId === replicaId))
        this.lookAtModels(served);
  }

  endpoint(number: number): PeerEndpoint | undefined {
    return this.#byNumber.get(number)?.endpoint;
  }

  deployment(number: number): ServedDeployment | undefined {
    return this.#byNumber.get(number)?.served;
  }

  /** Describes all deployments that have replicas. */
  describe(): EndpointsStatus {
    const endpoints = [...this.#byNumber.values()].map(({ endpoint }) => endpoint);
    return { kind: 'endpoints', endpoints, gone: [] };
  }

  close(): void {
    for (const served of this.#byKey.values()) served.close();
    this.#byKey.clear();
  }

  #lookAtIngress(key: RouteKey): void {
    const [app, deployment] = namesOf(key);
    const served = this.#byKey.get(key);
    if (served !== undefined) served.isIngress = this.#ingress.get(app) === deployment;
    this.look(key);
  }

  #offer(served: ServedDeployment, endpoint: PeerEndpoint, gone: readonly number[]): void {
    this.#last = endpoint.number;
    this.#revision = endpoint.revision;
    for (const number of gone) this.#byNumber.delete(number);
    this.#byNumber.set(endpoint.number, { served, endpoint });
    this.#numbers.set(served, endpoint.number);
    this.#onChange({ kind: 'endpoints', endpoints: [endpoint], gone });
  }

  #withdraw(served: ServedDeployment): void {
    const number = this.#numbers.get(served);
    if (number !== undefined) {
      this.#numbers.delete(served);
      this.#byNumber.delete(number);
      this.#onChange({ kind: 'endpoints', endpoints: [], gone: [number] });
    }
    served.giveBack();
  }
}

/** The parts of a description that callers act on, for comparison; the other parts change all the time. */
function contentOf(endpoint: PeerEndpoint): string {
  return JSON.stringify(endpoint, (key, value: unknown) =>
    key === 'revision' || key === 'idleMs' ? undefined : value,
  );
}

/** Whether callers need another channel: they read methods by their index. */
function isOther(a: PeerEndpoint, b: PeerEndpoint): boolean {
  return (
    a.version !== b.version ||
    a.methods.length !== b.methods.length ||
    a.methods.some((method, index) => method !== b.methods[index])
  );
}
