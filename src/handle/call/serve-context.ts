/** Information about the replica and, inside a call, about the call. */
export interface ServeContext {
  readonly app: string;
  readonly deployment: string;
  readonly replicaId: string;
  /**
   * A number that no other replica of the deployment has at the same time; a new replica takes the lowest free number.
   * Ranks are 0…n−1 once a deployment has exactly its target replicas: after an update or a scale-down a replica may
   * get a lower rank, so read it where you need it.
   */
  readonly rank: number;
  /** Devices that were reserved for the replica, by the numbers under which native code of this process knows them. */
  readonly gpus: readonly number[];
  /** Id of the request; empty outside a call. */
  readonly requestId: string;
  /** W3C trace context of the call, as its caller or a tracer gave it. */
  readonly traceparent: string | undefined;
  /** W3C vendor data that accompanies `traceparent`. */
  readonly tracestate: string | undefined;
  /** Aborts when the caller is gone, cancels, or the deadline passes. Never aborts outside a call. */
  readonly signal: AbortSignal;
  /** Deadline of the call, as a timestamp like `Date.now()`; undefined = no deadline. */
  readonly deadline: number | undefined;
  /** Model id of the call; empty if the caller gave no id. */
  readonly multiplexedModelId: string;
  readonly tenant: string | undefined;
  readonly sessionId: string | undefined;
  /** The value that the host's `locals(req)` returned. */
  readonly locals: unknown;
  /** Address of the HTTP client, as the host's trust-proxy setting sees it. */
  readonly ip: string | undefined;
  /** Route parameters of the host's mount path. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * The prefix that the host and the app's route prefix removed from the request's path, for links and redirects; empty
   * at the root.
   */
  readonly mountPath: string;
  /** In a batch: one context per item, in order. */
  readonly items: readonly ServeContext[] | undefined;
  /**
   * Says how far the start of the replica is, such as `progress('weights 50 %')`: it is the message of the starting replica in
   * `status()`, the `'replica'` event and the log. At most 200 characters, about four times a second. Without effect once the
   * replica takes calls, and in inline deployments.
   */
  progress(message: string): void;
  /**
   * Lets the event loop turn if it has been held for about a millisecond, so that other calls, cancellations and health
   * checks get through: `await` it in a loop that computes. Costs next to nothing where the loop has just turned.
   */
  yield(): Promise<void>;
}
