import { type Ejection, FAILURES, STEADY_MS } from './health/ejection.ts';

/** Counts of the calls to peers, and of their links. */
export interface PeerTotals {
  /** Calls that were sent; a call that came back and was sent again counts twice. */
  readonly calls: number;
  /** Calls that peers gave back since no place was free for them. */
  readonly refused: number;
  readonly ejections: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export const NO_TOTALS: PeerTotals = { calls: 0, refused: 0, ejections: 0, sentBytes: 0, receivedBytes: 0 };

export function addTotals(a: PeerTotals, b: PeerTotals): PeerTotals {
  return {
    calls: a.calls + b.calls,
    refused: a.refused + b.refused,
    ejections: a.ejections + b.ejections,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}

/** A peer as the fleet thread reaches it. */
export interface ReportedPeer {
  /** Id of the instance; its address while the instance was not reached. */
  readonly instance: string;
  /** Round trip, in ms; 0 = unknown. */
  readonly rttMs: number;
  /** Undefined if the peer gets calls. */
  readonly ejection: Ejection | undefined;
}

/** The fleet thread's report about the peers to its host. */
export interface PeerReport {
  readonly totals: PeerTotals;
  readonly peers: readonly ReportedPeer[];
}

/** Describes why a peer gets no calls, and for how long. @param at now */
export function reasonOf({ cause, until }: Ejection, at: number): string {
  const seconds = Math.max(0, Math.ceil((until - at) / 1_000));
  return cause === 'unreachable'
    ? `${FAILURES} attempts in a row opened no link; it gets no calls until one succeeds, or for ${seconds} s`
    : `${FAILURES} links in a row broke soon after they were opened; it gets no calls until one holds for ${STEADY_MS / 1_000} s, or for ${seconds} s`;
}
