import type { MessagePort } from 'node:worker_threads';
import type { Packed } from '../../values/pack.ts';

/** What every link says about its replica. */
interface ReplicaIdentity {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
}

/** The way to a replica in another thread of this process: a channel, and memory that both ends share. */
export interface ThreadLink extends ReplicaIdentity {
  readonly kind: 'thread';
  readonly port: MessagePort;
  /** The replica's row of the load table. */
  readonly load: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** Where the replica counts how its calls went. */
  readonly tally: SharedArrayBuffer;
  readonly methods: readonly string[];
}

/** How each caller thread makes its own replica of an inline deployment. */
export interface InlineLink extends ReplicaIdentity {
  readonly kind: 'inline';
  readonly app: string;
  readonly deployment: string;
  readonly module: string;
  readonly exportName: string;
  readonly args: Packed;
  readonly userConfig: Packed | undefined;
  readonly maxOngoingRequests: number;
}

/** Kinds of links. A further kind is one entry here, and one connector per caller thread. */
interface Links {
  thread: ThreadLink;
  inline: InlineLink;
}

export type LinkKind = keyof Links;
/** How a caller reaches one replica. Plain data but for ports. */
export type Link<K extends LinkKind = LinkKind> = { [P in K]: Links[P] & { readonly kind: P } }[K];

/** The ports that move to the caller's thread with a link. */
export function portsOf(link: Link): MessagePort[] {
  return link.kind === 'thread' ? [link.port] : [];
}
