import type { RouteConfig } from '../../../handle/call/route-config.ts';
import { type DirectoryEvent, namesOf, type RouteKey } from '../../../handle/routing/directory.ts';
import type { ParentLink } from '../../../handle/routing/link.ts';
import { packEvent } from '../../../replica/packed-event.ts';
import type { ToChild } from './child-messages.ts';

/**
 * Translates the registry's events for a child. The child makes the replicas of inline deployments itself; for all others
 * it has one link to this thread, whose router knows the replicas.
 */
export class ChildDirectory {
  readonly #post: (message: ToChild) => void;
  readonly #instanceId: string;
  /** Keys of deployments whose replicas the child makes. */
  readonly #inline = new Set<RouteKey>();
  /** Keys for which the child has its link to this thread. */
  readonly #linked = new Set<RouteKey>();

  constructor(instanceId: string, post: (message: ToChild) => void) {
    this.#instanceId = instanceId;
    this.#post = post;
  }

  /** Names of deployments, as `app/deployment`, whose calls the child alone counts. */
  readonly counted = new Set<string>();

  /** Tells the child of an event. @returns whether the event concerns the router of this thread as well */
  tell(event: DirectoryEvent): boolean {
    const { key } = event;
    switch (event.type) {
      case 'route':
        this.#route(event);
        return true;
      case 'config':
        this.#post({ type: 'directory', event: { ...event, config: configOf(event.config) } });
        return true;
      case 'moved':
        this.#linked.delete(key);
        this.#inline.delete(key);
        this.#post({ type: 'directory', event });
        return true;
      case 'gone':
        this.#linked.delete(key);
        this.#inline.delete(key);
        this.#post({ type: 'directory', ...packEvent(event) });
        return true;
      case 'listed':
        this.#post({ type: 'directory', event });
        return !this.#inline.has(key);
      default:
        if (!this.#inline.has(key)) return true;
        this.#post({ type: 'directory', ...packEvent(event) });
        return false;
    }
  }

  #route(event: Extract<DirectoryEvent, { type: 'route' }>): void {
    const { key, app, deployment, config } = event;
    this.#post({ type: 'route', key, app, deployment, config: configOf(config) });
    if (config.isByReference) {
      this.#inline.add(key);
      this.counted.add(`${app}/${deployment}`);
    } else if (!this.#linked.has(key)) {
      this.#linked.add(key);
      this.#post({
        type: 'directory',
        event: { type: 'up', key, link: this.#link(key), replaces: undefined },
      });
    }
  }

  #link(key: RouteKey): ParentLink {
    const [app, deployment] = namesOf(key);
    return {
      kind: 'parent',
      replicaId: 'parent',
      instanceId: this.#instanceId,
      version: '',
      app,
      deployment,
    };
  }
}

/** The options of a deployment that apply in the child: this thread repeats, hedges and queues calls. */
function configOf(config: RouteConfig): RouteConfig {
  if (config.isByReference) return config;
  return { ...config, hedge: undefined, tenants: undefined };
}
