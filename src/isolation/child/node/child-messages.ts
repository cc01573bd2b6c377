import type { DirectoryEvent } from '../../../handle/routing/directory.ts';
import type { ReplicaInit, ToHost, ToReplica } from '../../../replica/control.ts';

/** Data with which the agent in the child starts. */
export interface ChildInit extends ReplicaInit {
  /** Epoch of the instance's clock. */
  readonly epoch: bigint;
  readonly maxOngoingRequests: number;
}

/**
 * Name of the caller that makes most calls: the main thread of the instance. Its calls reach the child without their request
 * ids, which consist of this name and the numbers of the calls.
 */
export function mainCallerOf({ instanceId }: ReplicaInit): string {
  return `${instanceId}.0`;
}

/** The route to a deployment, whose shared tables the child makes for itself. */
export type ChildRoute = Omit<Extract<DirectoryEvent, { type: 'route' }>, 'load' | 'queue' | 'sessions'>;

/** From the replica's thread to the agent in the child. */
export type ToChild =
  | { readonly type: 'init'; readonly init: ChildInit }
  | ChildRoute
  /** Values of the replica's tables that the host has changed: whether the durations of calls are wanted, and the limit. */
  | { readonly type: 'tables'; readonly isObserved: boolean; readonly limit: number }
  | ToReplica;

/** A method that the child calls, under the index that it has in the frames of the calls. */
export interface CalledMethod {
  readonly index: number;
  readonly app: string;
  readonly deployment: string;
  readonly method: string;
}

/** From the agent in the child to the replica's thread. */
export type FromChild =
  | ToHost
  | { readonly type: 'method'; readonly called: CalledMethod }
  | { readonly type: 'models'; readonly event: ModelsEvent };

/** A change of the child's multiplexed models, as its listener receives it (`batching/multiplexed.ts`). */
export type ModelsEvent =
  | { readonly type: 'made' }
  | { readonly type: 'changed'; readonly modelIds: readonly string[] }
  | { readonly type: 'used'; readonly stalestAt: number | undefined }
  | { readonly type: 'loaded'; readonly ms: number };

/** The state of a child, as numbers of one frame. Counts are totals since the start. */
export interface ChildState {
  /** Calls that have arrived. */
  readonly arrived: number;
  /** Number of calls that may come beyond those that have arrived, and the same while the child's loop is held. */
  readonly room: number;
  readonly roomWhileHeld: number;
  /** Turns of the ticker of its event loop. */
  readonly beats: number;
  /** Share of the last second for which the loop was busy. */
  readonly utilization: number;
  /** Mean time for which a call holds the loop, in ms; 0 = unknown. */
  readonly meanHoldingMs: number;
  /** Calls that have ended, and those of them that failed. */
  readonly calls: number;
  readonly failures: number;
  /** Durations of successful calls since the last state, in ms. Empty unless they are observed. */
  readonly durations: readonly number[];
}

const FIXED = 8;

export function writeState(state: ChildState): number[] {
  const { arrived, room, roomWhileHeld, beats, utilization, meanHoldingMs, calls, failures, durations } =
    state;
  return [arrived, room, roomWhileHeld, beats, utilization, meanHoldingMs, calls, failures, ...durations];
}

export function readState(values: readonly number[]): ChildState {
  const [
    arrived = 0,
    room = 0,
    roomWhileHeld = 0,
    beats = 0,
    utilization = 0,
    meanHoldingMs = 0,
    calls = 0,
    failures = 0,
  ] = values;
  const durations = values.slice(FIXED);
  return { arrived, room, roomWhileHeld, beats, utilization, meanHoldingMs, calls, failures, durations };
}
