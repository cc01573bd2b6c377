import type { MessagePort } from 'node:worker_threads';
import type { HostedDeployment } from '../deployment/app-spec.ts';
import type { Link } from '../handle/routing/link.ts';
import type { DeploymentLoad } from '../load/deployment-load.ts';
import type { ReplicaLoad } from '../load/load-table.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import type { ToHost, ToReplica } from '../replica/control.ts';
import type { ProbedCall } from '../replica/running-call-probe.ts';

/** Identity of a replica that is about to start, and its reserved resources. */
export interface ReplicaPlace {
  readonly app: string;
  readonly instanceId: string;
  readonly replicaId: string;
  readonly rank: number;
  readonly gpus: readonly number[];
  /** Index of the replica among the callers of the instance. */
  readonly callerIndex: number;
  /** Whether the replica reports the files that it loads. */
  readonly isTracked: boolean;
  /** Environment variables that come with the reserved resources. */
  readonly env: Readonly<Record<string, string>>;
}

/** Position of an event loop. */
export type LoopStack =
  | {
      /** Lines as in `error.stack`, the innermost frame first. */
      readonly frames: readonly string[];
      /** The call for which the code runs. */
      readonly call: ProbedCall | undefined;
    }
  /** The position is unknown, for the given reason. */
  | { readonly frames: undefined; readonly why: string };

/** Messages from the links to a replica about the replica. */
export interface LinkedReplica {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly methods: readonly string[];
}

/**
 * The environment that one replica runs in, such as a thread of this process: it starts with the replica and ends with it.
 * Knows how to reach the replica and how to end it, and makes no decisions.
 */
export interface ReplicaHost {
  /** The replica's row of the load table. */
  readonly load: ReplicaLoad;
  /** Counts of the replica's calls by outcome. */
  readonly tally: ReplicaTally;
  /** Time of `clock.now()` at which the replica's event loop turned last (wraps with 32 bits). */
  readonly lastSeen: number;
  /** Resolves with the reason once the environment is gone. */
  readonly exited: Promise<unknown>;
  /** Sets the only receiver of the replica's messages. */
  listen(receive: (message: ToHost) => void): void;
  post(message: ToReplica, transfer?: readonly MessagePort[]): void;
  /** Connects one caller with the replica. @param callerName prefix of the request ids of the caller */
  link(replica: LinkedReplica, callerName: string): Link;
  /** Bytes on and off the replica's heap; 0 once the environment is gone. */
  memory(): Promise<number>;
  /** Finds out where the replica's event loop stands. Answers within about a second, even while the loop is blocked. */
  loopStack(): Promise<LoopStack>;
  /**
   * Ends the replica at once, whatever it does. Native work under way may take the process with it, so this is the
   * last resort: a replica whose event loop turns is asked to end by itself.
   */
  destroy(): void;
}

/** Starts the replicas of one deployment in environments of one kind. */
export interface ReplicaHosts {
  start(spec: HostedDeployment, place: ReplicaPlace, deploymentLoad: DeploymentLoad): ReplicaHost;
}
