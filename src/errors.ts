/**
 * Every error code of the library, in one table. `docs/errors.md` and a test are checked against it.
 *
 * `statusCode` is what an HTTP client gets, `retryable` whether a caller may safely send the same call again.
 */
export const SERVE_ERRORS = {
  SERVE_BACKPRESSURE: {
    statusCode: 503,
    retryable: true,
    title: 'Too many queued requests',
    meaning:
      'The load is too high: the wait queue of the deployment (or of a child) is full, a tenant has used up its quota, a replica has too many models to load, or the event loop of the host lags.',
    remedy:
      'Retry after the time in `Retry-After`, or raise `maxQueuedRequests`, `maxOngoingRequests` or `numReplicas`.',
  },
  SERVE_TIMEOUT: {
    statusCode: 504,
    retryable: false,
    title: 'Deadline exceeded',
    meaning: 'The deadline of the call passed while it was queued or running, or was too near to start it.',
    remedy:
      'Raise `requestTimeoutMs` or `timeoutMs`, or make the method faster. `retryable` is true if the call was never sent.',
  },
  SERVE_CANCELLED: {
    statusCode: 499,
    retryable: false,
    title: 'Request cancelled',
    meaning: 'The client disconnected, `cancel()` was called, or the given signal was aborted.',
    remedy: 'No action is needed: the caller ended the call.',
  },
  SERVE_REPLICA_DIED: {
    statusCode: 500,
    retryable: false,
    title: 'Replica died',
    meaning:
      'The replica died, or the link to its instance was lost, and the call may have run: its outcome is unknown.',
    remedy:
      'See `cause` and the log of the replica. `retryable` is true if the call has not run, which the message says, or its method is idempotent.',
  },
  SERVE_DEPLOY_FAILED: {
    statusCode: 503,
    retryable: false,
    title: 'Deployment failed',
    meaning:
      'No replica of the deployment could be started (`cause` is the original error), or its class has no method that answers requests and cannot be exposed.',
    remedy:
      'Fix the constructor, `create`, `reconfigure` or `checkHealth`, then deploy again; give the ingress a method `call`, `fetch` or `websocket`.',
  },
  SERVE_UNAVAILABLE: {
    statusCode: 503,
    retryable: true,
    title: 'Service unavailable',
    meaning:
      'No replica can serve: the app is being deleted, the instance is closing, or the replicas of the deployment crash too often. In a fleet also: Redis is unreachable for an order.',
    remedy:
      'Retry on another instance, or after the time in `Retry-After`; the message says when the next replica starts.',
  },
  SERVE_NOT_FOUND: {
    statusCode: 404,
    retryable: false,
    title: 'Not found',
    meaning: 'The app, deployment or route does not exist.',
    remedy: 'Check the name; `serve.status()` lists what runs.',
  },
  SERVE_UNKNOWN_METHOD: {
    statusCode: 500,
    retryable: false,
    title: 'Unknown method',
    meaning: 'The deployment has no such remote method.',
    remedy: 'Call one of the methods that the message lists.',
  },
  SERVE_NOT_SERIALIZABLE: {
    statusCode: 500,
    retryable: false,
    title: 'Value cannot cross threads',
    meaning: 'An argument or a result holds a value that cannot cross a thread; the message names its path.',
    remedy: 'Send plain data, or `transfer()` a buffer.',
  },
  SERVE_MODULE_MISMATCH: {
    statusCode: 500,
    retryable: false,
    title: 'Deployment not found in its module',
    meaning: "The replica's thread imported the module, and no deployment of that name was registered by it.",
    remedy: 'Call `deployment()` at the top level of the module, and pass `module: import.meta.url`.',
  },
  SERVE_MAIN_IN_WORKER: {
    statusCode: 500,
    retryable: false,
    title: 'Host-only API called in a replica',
    meaning:
      "A replica's thread ran code that belongs to the host, such as `serve.run()` or `server.listen()`.",
    remedy:
      'Move the deployment to its own module, or guard the server with `if (import.meta.main)` (in CommonJS `require.main === module`); in a bundle, build that module as an entry of its own ([bundlers](bundlers.md)).',
  },
  SERVE_INVALID_OPTION: {
    statusCode: 500,
    retryable: false,
    title: 'Invalid option',
    meaning: 'An option is unknown, has the wrong type or is out of range.',
    remedy: 'Correct the option: the message names it, its value and the allowed values.',
  },
  SERVE_UNSUPPORTED_RUNTIME: {
    statusCode: 500,
    retryable: false,
    title: 'Unsupported runtime',
    meaning:
      'The version of Node is too old, or the runtime is not Node and lacks features that replicas need.',
    remedy: 'Run the app with a version of Node that the message names.',
  },
  SERVE_MISSING_DEPENDENCY: {
    statusCode: 500,
    retryable: false,
    title: 'Missing dependency',
    meaning: 'An optional package that this feature needs is not installed.',
    remedy: 'Install the package that the message names.',
  },
  SERVE_PAYLOAD_TOO_LARGE: {
    statusCode: 413,
    retryable: false,
    title: 'Payload too large',
    meaning:
      'The request body is larger than `bodyLimit`, or a value for another instance is larger than `fleet.maxPayload`.',
    remedy: 'Send less, or raise the limit.',
  },
  SERVE_BAD_REQUEST: {
    statusCode: 400,
    retryable: false,
    title: 'Bad request',
    meaning:
      'The body, a header or the URL of the HTTP request is malformed, or a part of the input that a graph needs is missing.',
    remedy: 'Fix the request.',
  },
  SERVE_VALIDATION: {
    statusCode: 422,
    retryable: false,
    title: 'Invalid input',
    meaning: 'The input does not match the schema of the method or adapter.',
    remedy: 'Correct the input: the response lists the issues.',
  },
  SERVE_INVALID_RESULT: {
    statusCode: 500,
    retryable: false,
    title: 'Invalid result',
    meaning: 'A method returned a value that its output schema does not accept.',
    remedy:
      'Fix the method or the schema; `issues` lists the faults of the result. The caller did nothing wrong.',
  },
  SERVE_UNAUTHORIZED: {
    statusCode: 401,
    retryable: false,
    title: 'Unauthorized',
    meaning:
      '`authorize(req)` refused a WebSocket, or another instance did not prove the secret of the fleet or is not in `fleet.allow`.',
    remedy: 'Check the credentials of the client, or `fleet.secret` and `fleet.allow` on all instances.',
  },
} as const;

/** The codes of all errors that the library raises. */
export type ServeErrorCode = keyof typeof SERVE_ERRORS;

/** Details of a `ServeError`. */
export interface ServeErrorOptions {
  /** The underlying error. */
  cause?: unknown;
  /** Overrides the status of the code's table row, e.g. 429 for back-pressure. */
  statusCode?: number;
  /** Overrides the table row, e.g. for a replica that died before the call started. */
  retryable?: boolean;
  /** Names of the app, the deployment and the replica in which it happened. */
  app?: string;
  deployment?: string;
  replica?: string;
  /** Id of the request, as in the log. */
  requestId?: string;
  /** The time after which the caller should retry, in ms; becomes the `Retry-After` header. */
  retryAfterMs?: number;
  /** A description that HTTP clients may read: the `detail` of their problem. The message itself is never sent. */
  detail?: string;
  /** The faults of the input, which HTTP clients get as well. */
  issues?: readonly ValidationIssue[];
}

/** One fault of a value. */
export interface ValidationIssue {
  /** Keys from the whole value down to the faulty part; empty for the whole value. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Fields that an error has only when their values are known. */
const OPTIONAL = ['app', 'deployment', 'replica', 'requestId', 'retryAfterMs', 'detail', 'issues'] as const;

const brand = Symbol.for('inserve.ServeError');

/**
 * The one error class of the library. Tell errors apart by `code`; `instanceof ServeError` holds across copies of
 * the package and across threads (a `Symbol.for` brand decides, as in undici).
 */
export class ServeError extends Error {
  readonly code: ServeErrorCode;
  readonly statusCode: number;
  readonly retryable: boolean;
  declare readonly app?: string;
  declare readonly deployment?: string;
  declare readonly replica?: string;
  declare readonly requestId?: string;
  declare readonly retryAfterMs?: number;
  declare readonly detail?: string;
  declare readonly issues?: readonly ValidationIssue[];

  constructor(code: ServeErrorCode, message: string, options: ServeErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    const row = SERVE_ERRORS[code];
    this.code = code;
    this.statusCode = options.statusCode ?? row.statusCode;
    this.retryable = options.retryable ?? row.retryable;
    for (const key of OPTIONAL) {
      if (options[key] !== undefined) Object.assign(this, { [key]: options[key] });
    }
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    try {
      return brand in value;
    } catch {
      // A revoked Proxy, or one whose trap throws, must not replace the error that the caller is handling.
      return false;
    }
  }
}

// The two fields are on the prototype, so that neither shows up in logs or in `Object.keys`.
Object.defineProperty(ServeError.prototype, 'name', {
  value: 'ServeError',
  configurable: true,
  writable: true,
});
Object.defineProperty(ServeError.prototype, brand, { value: true });

/** Page to which errors about bundles refer. */
export const BUNDLERS_PAGE = 'docs/bundlers.md';
/** Page to which errors about imports in replicas refer. */
export const TESTING_PAGE = 'docs/testing.md';
/** Page to which errors about native addons refer. */
export const NATIVE_PAGE = 'docs/gpu-and-native.md';

/** Builds every `SERVE_INVALID_OPTION`: the option, its value and the allowed values. */
export function invalidOption(option: string, value: unknown, allowed: string): ServeError {
  return new ServeError('SERVE_INVALID_OPTION', `${option}: got ${describe(value)}; allowed: ${allowed}`);
}

/** Builds the `SERVE_NOT_FOUND` of an app's name. */
export function unknownApp(app: string): ServeError {
  const message = `there is no app '${app}'; serve.status() lists the running apps`;
  return new ServeError('SERVE_NOT_FOUND', message, { app });
}

function describe(value: unknown): string {
  try {
    return inWords(value);
  } catch {
    return `an unreadable ${typeof value}`;
  }
}

function inWords(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const name = value.constructor?.name ?? 'Object';
    return name === 'Object' ? 'an object' : `an object of class ${name}`;
  }
  return String(value);
}
