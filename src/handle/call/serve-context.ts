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
  /** Gpus that are reserved for the replica, numbered from 0 as native code of its process numbers them; empty without any. */
  readonly gpus: readonly number[];
  /** Id of the request; empty outside a call. */
  readonly requestId: string;
  /** W3C trace context of the call, as its caller or a tracer gave it. */
  readonly traceparent: string | undefined;
  /** W3C vendor data that accompanies `traceparent`. */
  readonly tracestate: string | undefined;
  /** Aborts when the caller disconnects or cancels, or the deadline passes. Never aborts outside a call. */
  readonly signal: AbortSignal;
  /** Deadline of the call, as a timestamp like `Date.now()`; undefined = no deadline. */
  readonly deadline: number | undefined;
  /** Model id of the call; empty if the caller gave no id. */
  readonly multiplexedModelId: string;
  /** Tenant of the call, as the caller or the host's `call(req)` set it. */
  readonly tenant: string | undefined;
  /** Session of the call, as the caller or the host's `call(req)` set it. */
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
   * Reports the progress of the replica's start, such as `progress('weights 50 %')`, which is shown in `status()`, in the
   * `'replica'` event and in the log. At most 200 characters, about four times a second. It has no effect once the replica takes
   * calls, nor in inline deployments.
   */
  progress(message: string): void;
  /**
   * Lets the event loop turn if it has been held for about a millisecond, so that other calls, cancellations and health
   * checks are handled: `await` it in a loop that computes. It costs almost nothing if the loop has just turned.
   */
  yield(): Promise<void>;
}
