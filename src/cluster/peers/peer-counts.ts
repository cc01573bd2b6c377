/** Counts of the calls and bytes that one thread has sent to peers, for the metrics. */
export class PeerCounts {
  /** Calls that were sent; a call that came back and was sent again counts twice. */
  calls = 0;
  /** Calls that peers gave back since no place was free for them. */
  refused = 0;
  /** Bytes over links to and from peers, before TLS. */
  sentBytes = 0;
  receivedBytes = 0;
}
