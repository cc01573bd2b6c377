import type { CallChannel } from '../../channel/call-channel.ts';
import { ServeError } from '../../errors.ts';
import { Endpoint } from '../endpoints/endpoint.ts';
import { type Connectors, connect } from './connector.ts';
import type { Directory } from './directory.ts';
import type { Link } from './link.ts';
import type { Route } from './route.ts';

/** Connects the routes of one caller thread with replicas as their links arrive. */
export class Connections {
  readonly #connectors: Connectors;
  readonly #directory: Directory;
  /** The channel that each route last waited for; undefined if the channel could not be made. */
  readonly #awaited = new WeakMap<Route, Promise<CallChannel | undefined>>();

  constructor(connectors: Connectors, directory: Directory) {
    this.#connectors = connectors;
    this.#directory = directory;
  }

  /** @param replaces the replica that the new one replaces once its channel exists */
  add(route: Route, link: Link, replaces: string | undefined): void {
    if (replaces !== undefined) {
      void this.#takeOver(route, link, replaces);
      return;
    }
    const connecting = this.#connect(route, link);
    if (connecting !== undefined) this.#awaited.set(route, connecting);
  }

  /** The links that a route gets at first have all arrived. */
  async listed(route: Route): Promise<void> {
    const { generation } = route;
    const awaited = this.#awaited.get(route);
    if (awaited !== undefined) await awaited;
    if (route.generation === generation) route.allListed();
  }

  #connect(route: Route, link: Link): Promise<CallChannel | undefined> | undefined {
    const channel = connect(this.#connectors, link, () => route.remove(link.replicaId, undefined));
    if (!(channel instanceof Promise)) {
      this.#arrived(route, link, channel);
      return undefined;
    }
    return this.#await(route, link, channel);
  }

  async #await(route: Route, link: Link, connecting: Promise<CallChannel>): Promise<CallChannel | undefined> {
    const { generation } = route;
    try {
      const channel = await connecting;
      // The route may be gone by now or lead to another deployment: then nothing else would close the channel.
      if (route.isGone || route.generation !== generation) channel.close(undefined);
      else this.#arrived(route, link, channel);
      return channel;
    } catch (cause) {
      const { app, deployment } = route;
      const message = `${deployment}: the ${link.kind} replica could not be created in this thread`;
      route.refuse(new ServeError('SERVE_DEPLOY_FAILED', message, { cause, app, deployment }));
      return undefined;
    }
  }

  #arrived(route: Route, { replicaId, instanceId, version }: Link, channel: CallChannel): void {
    route.add(new Endpoint(replicaId, instanceId, version, channel));
  }

  /** Versions take over in the order of their events, however long it takes to make them. */
  async #takeOver(route: Route, link: Link, replaces: string): Promise<void> {
    const before = this.#awaited.get(route);
    const connecting = Promise.resolve(before).then(() => this.#connect(route, link));
    this.#awaited.set(route, connecting);
    await connecting;
    route.remove(replaces, undefined);
    await (await before)?.ended;
    this.#directory.replaced(replaces);
  }
}
