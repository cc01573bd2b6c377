import type { MessagePort } from 'node:worker_threads';
import type { CountedBatches } from '../batching/batch-stats.ts';
import type { LogLevel, LogLine } from '../deployment/options/log-line.ts';
import type { PythonSource } from '../deployment/python/python-plan.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { CountedCalls } from '../handle/routing/ended-counts.ts';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import type { IngressDescription } from '../openapi/openapi-types.ts';
import type { MetricDelta } from '../user-metrics/table.ts';
import type { Packed } from '../values/pack.ts';
import type { PackedEvent } from './packed-event.ts';
import type { Remains } from './thread-hooks/remains.ts';

/** The data that a replica starts with, as plain data for every kind of isolation. */
export interface ReplicaInit {
  readonly instanceId: string;
  readonly replicaId: string;
  readonly rank: number;
  /** The numbers of its devices. */
  readonly gpus: readonly number[];
  /** Index of the replica among the instance's callers. */
  readonly callerIndex: number;
  readonly app: string;
  readonly deployment: string;
  /** `file:` URL of the module that registers the target. */
  readonly module: string;
  /** Whether the host's process was started with that module. */
  readonly isMainModule: boolean;
  /** The name under which the target is registered. */
  readonly exportName: string;
  /** Arguments of the constructor: an array. */
  readonly args: Packed;
  readonly userConfig: Packed | undefined;
  /** Lowest level at which the replica's `console` is forwarded. */
  readonly logLevel: LogLevel;
  /** Methods that may run twice. */
  readonly idempotent: boolean | readonly string[];
  /** The period at which the event loop reports that it turns, in ms. */
  readonly tickMs: number;
  /** The time limit of the first health check, in ms. */
  readonly healthCheckTimeoutMs: number;
  /** Whether the replica reports the files that it loads. */
  readonly isTracked: boolean;
  /** Set if the replica runs a Python class or function. */
  readonly python?: PythonSource | undefined;
}

/** The end of a child process, as plain data: the calls of the process wait while it is reported. */
export interface ReportedExit {
  readonly message: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last 4 KiB of the process's standard error. */
  readonly stderr: string;
  /** The cause that the user's code gave, or the error of the start. */
  readonly cause: Packed | undefined;
}

/** The phase in which a start failed. */
export type StartPhase = 'import' | 'construct' | 'reconfigure' | 'checkHealth';

/** From the host to a replica's thread. */
export type ToReplica =
  | { type: 'attach'; callerName: string; port: MessagePort; ledger: SharedArrayBuffer }
  | ({ type: 'directory' } & PackedEvent)
  | { type: 'reconfigure'; id: number; userConfig: Packed }
  | { type: 'rank'; rank: number }
  | { type: 'tick'; tickMs: number }
  | { type: 'checkHealth'; id: number }
  | { type: 'describe'; id: number }
  /** No more calls arrive; WebSocket sessions that would go on must end. */
  | { type: 'drain' }
  /** Asks for the time until which its calls may take. */
  | { type: 'openCalls'; id: number }
  | { type: 'autoscalingStats'; id: number }
  | { type: 'dispose'; id: number }
  /** No more questions follow: the thread ends once no work is under way in it. */
  | { type: 'close'; id: number };

/** The open calls of a replica. */
export interface OpenCalls {
  /** The latest of their deadlines, as a time of `clock.now()`; 0 = none has a deadline. */
  readonly deadline: number;
  /** Whether any of them sends a stream, to which the deadline no longer applies. */
  readonly hasStreams: boolean;
}

/** The replica's end of its control port. */
export interface AgentControl {
  post(message: ToHost): void;
  listen(receive: (message: ToReplica) => void): void;
  /** Stops the port from keeping the replica's thread alive. */
  unref(): void;
}

/** From a replica's thread to the host. */
export type ToHost =
  /** `hasStats` and `hasHealthCheck` tell whether it has the hooks `recordAutoscalingStats` and `checkHealth`. */
  | { type: 'ready'; methods: readonly string[]; hasStats: boolean; hasHealthCheck: boolean }
  /** The thread has begun to process a question that user code answers. */
  | { type: 'begun'; id: number }
  | { type: 'failed'; phase: StartPhase; error: Packed }
  | {
      type: 'answer';
      id: number;
      error?: Packed;
      description?: IngressDescription;
      stats?: Record<string, number>;
      openCalls?: OpenCalls;
      remains?: Remains;
    }
  /** User code logged. */
  | { type: 'log'; line: LogLine }
  /** User code says how far its start is. */
  | { type: 'progress'; message: string }
  /** A warning about the configuration of the deployment. */
  | { type: 'advice'; message: string }
  | { type: 'subscribe'; key: RouteKey }
  /** The calls of this thread to an inline replica that was replaced have ended. */
  | { type: 'replaced'; replicaId: string }
  /** The calls of this thread that a replica ran when it was lost. */
  | { type: 'lost'; replicaId: string; calls: readonly LostCall[] }
  /**
   * User code runs in a child process, which the replica's thread has just spawned. A process that is sent `stackSignal` tells
   * where its code stands, even while its loop is blocked.
   */
  | { type: 'child'; pid: number; stackSignal?: NodeJS.Signals | undefined }
  /** The answer to `stackSignal`: lines as in `error.stack`. */
  | { type: 'childStack'; frames: readonly string[] }
  /** The child process is gone: no call on it goes on. The thread ends next. */
  | { type: 'childExited'; exit: ReportedExit }
  /** User code ends this thread by `process.exit`. */
  | { type: 'exiting'; error: Packed }
  | {
      type: 'stats';
      calls: readonly CountedCalls[];
      batches: readonly CountedBatches[];
      metrics: readonly MetricDelta[];
    }
  /** A file of the project was loaded: its `file:` URL. */
  | { type: 'loaded'; url: string }
  /** A failed response that was not observed. */
  | { type: 'unobserved'; app: string; deployment: string; method: string; requestId: string; error: Packed };

/** The reports of a replica about its calls and its user code. */
export type ReplicaReport = Extract<
  ToHost,
  { type: 'stats' | 'log' | 'progress' | 'advice' | 'loaded' | 'unobserved' }
>;
