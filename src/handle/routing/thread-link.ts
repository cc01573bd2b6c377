import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CallerChannel } from '../../channel/caller-channel.ts';
import { CallerJsonPort } from '../../channel/json/json-ports.ts';
import { LinkLedger } from '../../channel/link-ledger.ts';
import { PortTransport } from '../../channel/port-transport.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaHashTable } from '../../load/replica-hashes.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import { inRootContext } from '../../time/root-context.ts';
import type { Connector } from './connector.ts';
import type { ThreadLink } from './link.ts';

/**
 * Upper bound of the wait for a death reason, in ms. The host always reports the reason a few ms after the port closed,
 * and up to 0.3 s after it when the replica ran out of memory.
 */
const DEATH_REASON_MS = 1_000;

/** The host's view of a replica in a thread. */
export interface ThreadReplica {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly load: ReplicaLoad;
  readonly tally: ReplicaTally;
  readonly methods: readonly string[];
  /** Whether the replica's thread passes calls on to a process. Default: false. */
  readonly hasProcess?: boolean;
  /** Set for a relay to the replicas of another instance. */
  readonly replicaHashes?: ReplicaHashTable;
}

/** Makes a channel to a replica. @param attach gives the replica its end */
export function openThreadLink(
  { replicaId, instanceId, version, load, tally, methods, hasProcess = false, replicaHashes }: ThreadReplica,
  attach: (port: MessagePort, ledger: SharedArrayBuffer) => void,
): ThreadLink {
  const { port1, port2 } = inRootContext(() => new MessageChannel());
  const ledger = new LinkLedger();
  attach(port2, ledger.shared);
  const shared = {
    load: load.shared,
    ledger: ledger.shared,
    tally: tally.shared,
    replicaHashes: replicaHashes?.shared,
  };
  return { kind: 'thread', replicaId, instanceId, version, port: port1, ...shared, methods, hasProcess };
}

/** Connects a caller to a replica in a thread. */
export const threadConnector: Connector<'thread'> = {
  connect({ port, load, ledger, tally, methods, hasProcess, replicaHashes }, onGone) {
    const replica = {
      load: new ReplicaLoad(load),
      tally: new ReplicaTally(tally),
      methods: new Map(methods.map((name, index) => [name, index])),
      replicaHashes: replicaHashes && new ReplicaHashTable(replicaHashes),
    };
    return new CallerChannel(
      hasProcess === true ? new CallerJsonPort(port) : new PortTransport(port),
      new LinkLedger(ledger),
      replica,
      onGone,
      DEATH_REASON_MS,
    );
  },
};
