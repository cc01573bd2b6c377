/** What a replica may know about itself and, inside a call, about the call. */
export interface ServeContext {
  readonly app: string;
  readonly deployment: string;
  readonly replicaId: string;
  /**
   * A number that no other replica of the deployment has at the same time; a new one takes the lowest that is free. Once a
   * deployment has all its replicas and no others, 0…n−1: after an update or a scale-down a replica may get a lower one, so
   * look at it where you need it.
   */
  readonly rank: number;
  /** Devices that were reserved for the replica, by the number that native code of this process knows them by. */
  readonly gpus: readonly number[];
  /** Empty outside a call. */
  readonly requestId: string;
  /** W3C trace context of the call, as its caller or a tracer gave it. */
  readonly traceparent: string | undefined;
  /** What vendors add to `traceparent`. */
  readonly tracestate: string | undefined;
  /** Aborts when the caller is gone, cancels, or the deadline passes. Never aborts outside a call. */
  readonly signal: AbortSignal;
  /** When the call must be over, as a timestamp like `Date.now()`; undefined = no deadline. */
  readonly deadline: number | undefined;
  /** Empty if the caller gave none. */
  readonly multiplexedModelId: string;
  readonly tenant: string | undefined;
  readonly sessionId: string | undefined;
  /** What the host's `locals(req)` answered. */
  readonly locals: unknown;
  /** Address of the HTTP client, as the host's trust-proxy setting sees it. */
  readonly ip: string | undefined;
  /** Route parameters of the host's mount path. */
  readonly params: Readonly<Record<string, string>>;
  /** What the host and the app's route prefix have cut off the request's path, for links and redirects; empty at the root. */
  readonly mountPath: string;
  /** In a batch: one context per item, in order. */
  readonly items: readonly ServeContext[] | undefined;
  /**
   * Lets the event loop turn if it has been held for about a millisecond, so that other calls, cancellations and health
   * checks get through: `await` it in a loop that computes. Costs next to nothing where the loop has just turned.
   */
  yield(): Promise<void>;
}
