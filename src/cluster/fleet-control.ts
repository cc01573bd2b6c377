import type { MessagePort } from 'node:worker_threads';
import type { Wish } from '../controller/autoscale.ts';
import type { RouteConfig } from '../handle/call/route-config.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { CountedCalls } from '../handle/routing/ended-counts.ts';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import type { PackedEvent } from '../replica/packed-event.ts';
import type { Packed } from '../values/pack.ts';
import type { Declaration } from './documents.ts';
import type { FleetCounts } from './fleet-counts.ts';
import type { FleetOptions, PeerAddress } from './fleet-options.ts';
import type { AppliedTargets } from './member/fleet-member.ts';
import type { FleetView } from './member/fleet-view.ts';
import type { Consultation, LocalLoads } from './node/events.ts';
import type { OverrideChange } from './node/overrides.ts';
import type { EndpointsStatus } from './peers/endpoint-table.ts';
import type { PeerReport } from './peers/peer-report.ts';

/** The data that the fleet thread starts with. */
export interface FleetInit {
  readonly control: MessagePort;
  /** Epoch of the instance's clock. */
  readonly clock: bigint;
  readonly instanceId: string;
  /** Index of the thread among the instance's callers. */
  readonly callerIndex: number;
  /** Number of starts of the thread. */
  readonly epoch: number;
  readonly options: FleetOptions;
  /** Lends the client of Redis that the app has made. */
  readonly redis?: MessagePort;
}

/** The deployment of a peer that a relay leads to. */
export interface RelayTarget {
  /** Id of the relay among the replicas that callers know. */
  readonly replicaId: string;
  /** Epoch of the peer, and the number of the endpoint in it. */
  readonly epoch: number;
  readonly endpoint: number;
  readonly methods: readonly string[];
  /** The relay's row in the load table. */
  readonly load: SharedArrayBuffer;
  readonly deploymentLoad: SharedArrayBuffer;
  /** Table in which the relay writes down which replicas it leads to. */
  readonly replicaHashes: SharedArrayBuffer;
}

/** From the host to its fleet thread. */
export type ToFleet =
  | ({ readonly type: 'directory' } & PackedEvent)
  /** Peers may call a deployment of this instance, if it has replicas here. */
  | {
      readonly type: 'serve';
      readonly key: RouteKey;
      readonly config: RouteConfig;
      readonly maxQueued: number;
    }
  /** The deployment to which calls to an app go. */
  | { readonly type: 'ingress'; readonly app: string; readonly deployment: string }
  /** A deployment of this instance is gone. */
  | { readonly type: 'withdraw'; readonly key: RouteKey }
  /** The other instances of the fleet, all of them. */
  | { readonly type: 'peers'; readonly peers: readonly PeerAddress[] }
  /** A replica of this instance calls a deployment of a peer. */
  | ({
      readonly type: 'relay';
      readonly address: PeerAddress;
      readonly callerName: string;
      readonly port: MessagePort;
      readonly ledger: SharedArrayBuffer;
    } & RelayTarget)
  /** The relay to a deployment of a peer is not needed any more. */
  | { readonly type: 'unrelay'; readonly replicaId: string }
  /** The current declaration of the instance's code. The first one joins the fleet. */
  | { readonly type: 'declare'; readonly declaration: Declaration }
  | {
      readonly type: 'report';
      readonly loads: LocalLoads;
      readonly lagMs: number;
      readonly isReady: boolean;
      /** Apps with an earlier version, to which `rollback` returns. */
      readonly revertible: readonly string[];
    }
  /** A call waits for a deployment that has no replica anywhere. */
  | { readonly type: 'demand'; readonly key: RouteKey }
  /** A person's change to the whole fleet. */
  | { readonly type: 'command'; readonly id: number; readonly change: OverrideChange }
  /** Numbers of replicas that autoscaling policies want, by deployment. */
  | { readonly type: 'advice'; readonly wishes: Readonly<Record<string, Wish>> }
  /** The instance leaves the fleet: its replicas move elsewhere. */
  | { readonly type: 'leave'; readonly timeoutMs: number }
  /** The instance is about to close: peers send no more calls. */
  | { readonly type: 'drain' }
  /** Ends the thread; its links close. */
  | { readonly type: 'close' };

/** From the fleet thread to its host. */
export type FromFleet =
  /** The thread accepts links. */
  | { readonly type: 'listening'; readonly port: number }
  /** The thread cannot work, and ends. */
  | { readonly type: 'failed'; readonly error: Packed }
  | { readonly type: 'subscribe'; readonly key: RouteKey }
  /** Names the calls of the thread that a dead replica ran. */
  | { readonly type: 'lost'; readonly replicaId: string; readonly calls: readonly LostCall[] }
  /** A link to a peer is open. */
  | {
      readonly type: 'peerUp';
      readonly address: PeerAddress;
      readonly instance: string;
      readonly epoch: number;
    }
  /** A peer described its deployments. */
  | { readonly type: 'endpoints'; readonly address: PeerAddress; readonly status: EndpointsStatus }
  /** The link to a peer is gone. */
  | { readonly type: 'peerDown'; readonly address: PeerAddress; readonly error: Packed }
  /** Calls since the last report. */
  | { readonly type: 'stats'; readonly calls: readonly CountedCalls[] }
  /** Counts of failures since the thread's start; sent when they have changed. */
  | { readonly type: 'counts'; readonly counts: FleetCounts }
  /** A record for the log, which is limited already. */
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    }
  /** Links to the peers, and counts of what was sent over them. */
  | { readonly type: 'peerReport'; readonly report: PeerReport }
  /** The numbers of replicas that the instance is to run. */
  | ({ readonly type: 'apply' } & AppliedTargets)
  | { readonly type: 'view'; readonly view: FleetView }
  /** Asks for the results of autoscaling policies, while this instance leads. */
  | { readonly type: 'consult'; readonly consultations: readonly Consultation[] }
  | { readonly type: 'member'; readonly id: string; readonly isAlive: boolean }
  | { readonly type: 'commandDone'; readonly id: number; readonly failure: string | undefined }
  | { readonly type: 'fault'; readonly cause: string; readonly message: string }
  /** The instance has left the fleet. */
  | { readonly type: 'left' };

/** Messages from the fleet thread about the membership. */
export type FromMember = Extract<
  FromFleet,
  { readonly type: 'apply' | 'view' | 'consult' | 'member' | 'commandDone' | 'fault' | 'left' }
>;
