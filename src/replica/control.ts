import type { MessagePort } from 'node:worker_threads';
import type { CountedBatches } from '../batching/batch-stats.ts';
import type { LogLevel, LogLine } from '../deployment/options/log-line.ts';
import type { DirectoryEvent, RouteKey } from '../handle/routing/directory.ts';
import type { CountedCalls } from '../handle/routing/ended-counts.ts';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import type { IngressDescription } from '../openapi/openapi-types.ts';
import type { MetricDelta } from '../user-metrics/table.ts';
import type { Packed } from '../values/pack.ts';
import type { Remains } from './thread-hooks/remains.ts';

/** The data that a replica starts with. Plain, whatever the replica runs in. */
export interface ReplicaInit {
  readonly instanceId: string;
  readonly replicaId: string;
  readonly rank: number;
  /** Numbers of the devices that it has. */
  readonly gpus: readonly number[];
  /** Index of the replica among the instance's callers. */
  readonly callerIndex: number;
  readonly app: string;
  readonly deployment: string;
  /** `file:` URL of the module that registers the target. */
  readonly module: string;
  /** The name it is registered under. */
  readonly exportName: string;
  /** Arguments of the constructor: an array. */
  readonly args: Packed;
  readonly userConfig: Packed | undefined;
  /** Lowest level at which the replica's `console` is forwarded. */
  readonly logLevel: LogLevel;
  /** Methods that may run twice. */
  readonly idempotent: boolean | readonly string[];
  /** Period of the event loop's sign of life, in ms. */
  readonly tickMs: number;
  /** For the first health check, in ms. */
  readonly healthCheckTimeoutMs: number;
  /** Whether the replica reports the files that it loads. */
  readonly isTracked: boolean;
}

/** Where a start failed. */
export type StartPhase = 'import' | 'construct' | 'reconfigure' | 'checkHealth';

/** From the host to a replica's thread. */
export type ToReplica =
  | { type: 'attach'; callerName: string; port: MessagePort; ledger: SharedArrayBuffer }
  | { type: 'directory'; event: DirectoryEvent; error?: Packed }
  | { type: 'reconfigure'; id: number; userConfig: Packed }
  | { type: 'rank'; rank: number }
  | { type: 'tick'; tickMs: number }
  | { type: 'checkHealth'; id: number }
  | { type: 'describe'; id: number }
  /** No more calls come; conversations that would go on are to end. */
  | { type: 'drain' }
  /** Until when its calls may take. */
  | { type: 'openCalls'; id: number }
  | { type: 'autoscalingStats'; id: number }
  | { type: 'dispose'; id: number }
  /** Nothing is asked of the replica any more: its thread ends once nothing is under way there. */
  | { type: 'retire'; id: number };

/** What a replica says of the calls that it runs. */
export interface OpenCalls {
  /** The last one of their deadlines, a time of `clock.now()`; 0 = none has one. */
  readonly deadline: number;
  /** Some send a stream, which the deadline is no longer for. */
  readonly hasStreams: boolean;
}

/** The replica's end of its control port. */
export interface AgentControl {
  post(message: ToHost): void;
  listen(receive: (message: ToReplica) => void): void;
  /** The port keeps the replica's thread alive no longer. */
  unref(): void;
}

/** From a replica's thread to the host. */
export type ToHost =
  /** `hasStats`, `hasHealthCheck`: it has the hooks `recordAutoscalingStats`, `checkHealth`. */
  | { type: 'ready'; methods: readonly string[]; hasStats: boolean; hasHealthCheck: boolean }
  /** The thread has come to a question that user code answers. */
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
  /** Something that whoever configured the deployment should know. */
  | { type: 'advice'; message: string }
  | { type: 'subscribe'; key: RouteKey }
  /** The thread is through with an inline replica that another one replaced. */
  | { type: 'replaced'; replicaId: string }
  /** A replica is gone, under one of its names: which calls of this thread it ran. */
  | { type: 'lost'; replicaId: string; calls: readonly LostCall[] }
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
  /** A failed response that nobody observed. */
  | { type: 'unobserved'; app: string; deployment: string; method: string; requestId: string; error: Packed };

/** What a replica reports on its calls and its user code. */
export type ReplicaReport = Extract<ToHost, { type: 'stats' | 'log' | 'advice' | 'loaded' | 'unobserved' }>;
