import type { MessagePort } from 'node:worker_threads';
import type { Packed } from '../../values/pack.ts';

/** Properties of the replica in every link. */
interface ReplicaIdentity {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
}

/** Link to a replica in another thread of this process: a channel, and memory that both ends share. */
export interface ThreadLink extends ReplicaIdentity {
  readonly kind: 'thread';
  readonly port: MessagePort;
  /** The replica's row of the load table. */
  readonly load: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** Memory in which the replica counts the outcomes of its calls. */
  readonly tally: SharedArrayBuffer;
  readonly methods: readonly string[];
  /** Whether the thread passes calls on to a process. */
  readonly hasProcess?: boolean;
  /** Hashes of the replicas of another instance, to which the thread passes calls on; undefined for a replica. */
  readonly replicaHashes?: SharedArrayBuffer | undefined;
}

/** Link from which each caller thread makes its own replica of an inline deployment. */
export interface InlineLink extends ReplicaIdentity {
  readonly kind: 'inline';
  readonly app: string;
  readonly deployment: string;
  readonly module: string;
  readonly exportName: string;
  readonly args: Packed;
  readonly userConfig: Packed | undefined;
  readonly maxOngoingRequests: number;
  /** Whether arguments and results pass by reference. Otherwise they are copied as for a thread. */
  readonly isByReference: boolean;
}

/** Link to the replicas of a deployment in another instance, which places each call itself. */
export interface PeerLink extends ReplicaIdentity {
  readonly kind: 'peer';
  /** Number by which the instance knows the deployment. */
  readonly endpoint: number;
  readonly methods: readonly string[];
}

/** Link of a child process to the replica's thread that spawned it: the thread finds the replicas for the child's calls. */
export interface ParentLink extends ReplicaIdentity {
  readonly kind: 'parent';
  readonly app: string;
  readonly deployment: string;
}

/** Kinds of links. A further kind is one entry here, and one connector per caller thread. */
interface Links {
  thread: ThreadLink;
  inline: InlineLink;
  peer: PeerLink;
  parent: ParentLink;
}

export type LinkKind = keyof Links;
/** Describes how a caller reaches one replica. Plain data except for ports. */
export type Link<K extends LinkKind = LinkKind> = { [P in K]: Links[P] & { readonly kind: P } }[K];

/** The ports that move to the caller's thread with a link. */
export function portsOf(link: Link): MessagePort[] {
  return link.kind === 'thread' ? [link.port] : [];
}
