import type { MessagePort } from 'node:worker_threads';
import type { CallChannel } from '../../channel/call-channel.ts';
import type { ReplicaTally } from '../../load/replica-tally.ts';
import type { Packed } from '../../values/pack.ts';
import type { RouteConfig } from '../call/route-config.ts';
import type { DetourConfig } from './traffic-split.ts';

/** `app/deployment`: names hold no slash. */
export type RouteKey = string & { readonly __brand: 'RouteKey' };

export function routeKey(app: string, deployment: string): RouteKey {
  return `${app}/${deployment}` as RouteKey;
}

/** What the registry tells a caller thread about a deployment. Plain data but for the port. */
export type DirectoryEvent =
  | {
      type: 'route';
      key: RouteKey;
      /** The deployment that an app's key stands for. */
      deployment: string;
      load: SharedArrayBuffer;
      queue: SharedArrayBuffer;
      sessions: SharedArrayBuffer;
      config: RouteConfig;
    }
  | { type: 'config'; key: RouteKey; config: RouteConfig }
  | { type: 'up'; key: RouteKey; link: LinkDescriptor; port: MessagePort }
  /** The deployment runs on each caller's own thread: make a replica there. The one before it goes when its calls are over. */
  | { type: 'inline'; key: RouteKey; inline: InlineDescriptor; replaces: string | undefined }
  /** A new version is tried beside it from now on; undefined: no longer. */
  | { type: 'detour'; key: RouteKey; detour: DetourConfig | undefined }
  /** The key stands for another deployment from now on; calls that run end where they are. */
  | { type: 'moved'; key: RouteKey }
  | { type: 'down'; key: RouteKey; replicaId: string; error: unknown }
  /** No replica could be started: calls are rejected with this error until a `config` follows. */
  | { type: 'failed'; key: RouteKey; error: unknown }
  /** The deployment is gone for good. */
  | { type: 'gone'; key: RouteKey; error: unknown };

export interface LinkDescriptor {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly load: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** Where the replica counts how its calls went. */
  readonly tally: SharedArrayBuffer;
  readonly methods: readonly string[];
}

/** How to make a replica of an inline deployment, in any thread. */
export interface InlineDescriptor {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly app: string;
  readonly deployment: string;
  readonly module: string;
  readonly exportName: string;
  readonly args: Packed;
  readonly userConfig: Packed | undefined;
  readonly maxOngoingRequests: number;
}

/** The way to a replica on the caller's own thread. */
export interface InlineCallChannel extends CallChannel {
  /** How its calls went. */
  readonly tally: ReplicaTally;
  /** Resolves when the replica was closed, its calls are over and its destructor ran. */
  readonly ended: Promise<void>;
}

/** Makes the replica of an inline deployment for this thread. */
export type InlineFactory = (inline: InlineDescriptor) => Promise<InlineCallChannel>;

/** Where a router learns of deployments: the registry itself on the host, a control port in a replica. */
export interface Directory {
  /** Events about the deployment come from now on; an unknown one is answered by `gone`. */
  subscribe(key: RouteKey): void;
}
