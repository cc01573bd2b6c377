/** A request that is sent again and again, and what must come back. */
export interface Target {
  readonly port: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Bytes of the request body; 0 = none. */
  readonly bodyBytes: number;
  /** Bytes of the response body; any other number is an error. */
  readonly answerBytes: number;
}

export interface LoadRequest {
  /** Each connection sends them in turn, so that their shares do not depend on which is answered sooner. */
  readonly targets: readonly [Target, ...Target[]];
  readonly connections: number;
  /** The measured window. A run-up of a fifth of it comes before. */
  readonly ms: number;
  /** Requests per second over all connections; 0 = as many as are answered. */
  readonly rate: number;
  /** Binds the generator to a core. */
  readonly core?: number;
  /** Counts answers with another status than 200 instead of failing, and sends the next request a little later. */
  readonly isTolerant?: boolean;
}

export interface LoadReply {
  /** Requests per second. */
  readonly throughput: number;
  /** Bytes per second of bodies that came in chunks, without their framing. */
  readonly chunkedBytes: number;
  /** Milliseconds from the first byte sent to the last byte received; missing if no request came to its end. */
  readonly p50?: number;
  readonly p99?: number;
  /** Median time from the first byte sent to the first byte of the answer's body, in ms. */
  readonly firstP50?: number;
  /** Answers with another status than 200 in the window. */
  readonly refused: number;
  /** Requests that were answered in all, the run-up included: what the server's CPU time is divided by. */
  readonly sent: number;
}
