/** Where a replica runs: a worker thread, a child process behind a worker thread, or the caller's own event loop. */
export type Isolation = 'thread' | 'process' | 'inline';

/**
 * The isolation of a deployment as it runs. `'inline-copied'` replaces the isolation that a deployment asks for where
 * `createServe({ isolation: 'inline' })` says so: the caller's own event loop, with values copied as for a thread.
 */
export type ResolvedIsolation = Isolation | 'inline-copied';

/** The differences between isolations that other code depends on. */
export interface IsolationTraits {
  /** Whether arguments and results pass by reference. Otherwise they are copied. */
  readonly isByReference: boolean;
  /** Whether all callers share a number of replicas. Otherwise every caller thread makes its own replica. */
  readonly isReplicated: boolean;
  /** Whether user code runs in a process of its own, behind the replica's thread. */
  readonly hasProcess: boolean;
  /** Whether memory can be moved to the replica and back instead of copied. */
  readonly allowsTransfer: boolean;
  /** Whether a `SharedArrayBuffer` is the same memory for the caller and the replica. */
  readonly allowsSharedMemory: boolean;
}

const THREAD: IsolationTraits = {
  isByReference: false,
  isReplicated: true,
  hasProcess: false,
  allowsTransfer: true,
  allowsSharedMemory: true,
};

export const ISOLATIONS: Readonly<Record<ResolvedIsolation, IsolationTraits>> = {
  thread: THREAD,
  process: { ...THREAD, hasProcess: true, allowsTransfer: false, allowsSharedMemory: false },
  inline: { ...THREAD, isByReference: true, isReplicated: false },
  'inline-copied': { ...THREAD, isReplicated: false },
};

/** The isolations as users write them. */
export const ISOLATION_NAMES: readonly Isolation[] = ['thread', 'process', 'inline'];
