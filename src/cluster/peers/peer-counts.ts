/** What one thread has sent to peers, for the metrics. */
export class PeerCounts {
  /** Calls that were sent, again those that came back. */
  calls = 0;
  /** Calls that peers gave back since no place was free for them. */
  refused = 0;
  /** Bytes over links to and from peers, before TLS. */
  sentBytes = 0;
  receivedBytes = 0;
}
