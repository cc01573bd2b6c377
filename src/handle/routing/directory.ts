import type { RouteConfig } from '../call/route-config.ts';
import type { Link } from './link.ts';
import type { LostCall } from './lost-calls.ts';
import type { TrafficSplitConfig } from './traffic-split.ts';

/** The key of a deployment, `app/deployment`; names contain no slash. */
export type RouteKey = string & { readonly __brand: 'RouteKey' };

export function routeKey(app: string, deployment: string): RouteKey {
  return `${app}/${deployment}` as RouteKey;
}

/** Splits a key into its names: app and deployment. */
export function namesOf(key: RouteKey): [app: string, deployment: string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}

/** The registry's messages to a caller thread about a deployment. Plain data except the ports of links. */
export type DirectoryEvent =
  | {
      type: 'route';
      key: RouteKey;
      /** The deployment that the key stands for, and its app. */
      app: string;
      deployment: string;
      load: SharedArrayBuffer;
      queue: SharedArrayBuffer;
      sessions: SharedArrayBuffer;
      config: RouteConfig;
    }
  | { type: 'config'; key: RouteKey; config: RouteConfig }
  /** The replicas that the deployment has at the subscription were all announced. */
  | { type: 'listed'; key: RouteKey }
  /** A replica takes calls; the replica that it replaces goes when its calls have ended. */
  | { type: 'up'; key: RouteKey; link: Link; replaces: string | undefined }
  /** A trial of a new version starts beside the deployment; undefined: the trial has ended. */
  | { type: 'split'; key: RouteKey; split: TrafficSplitConfig | undefined }
  /** The key stands for another deployment from now on; calls that run end where they are. */
  | { type: 'moved'; key: RouteKey }
  | { type: 'down'; key: RouteKey; replicaId: string; error: unknown }
  /** No replica could be started: calls are rejected with this error until a `config` follows. */
  | { type: 'failed'; key: RouteKey; error: unknown }
  /** The deployment is gone for good. */
  | { type: 'gone'; key: RouteKey; error: unknown };

/** The registry as a router addresses it: directly on the host, over a control port in a replica. */
export interface Directory {
  /** Subscribes to the events of a deployment; an unknown deployment is answered by `gone`. */
  subscribe(key: RouteKey): void;
  /** This thread has no more calls to a replica that another one replaced. */
  replaced(replicaId: string): void;
  /** Names the calls of this thread that a dead replica ran, under one of the keys of its deployment. */
  lost(replicaId: string, calls: readonly LostCall[]): void;
}
