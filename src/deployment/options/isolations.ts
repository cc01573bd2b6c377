/** Where a replica runs: a worker thread, or the caller's own event loop. */
export type Isolation = 'thread' | 'inline';

/** The differences between the isolations that other code acts on. */
export interface IsolationTraits {
  /** Arguments and results pass by reference. Otherwise they are copied. */
  readonly isByReference: boolean;
  /** The deployment has a number of replicas that all callers share. Otherwise every caller thread makes its own replica. */
  readonly isReplicated: boolean;
  /** Memory can be moved to the replica and back instead of copied. */
  readonly allowsTransfer: boolean;
  /** A `SharedArrayBuffer` is the same memory for the caller and the replica. */
  readonly allowsSharedMemory: boolean;
}

export const ISOLATIONS: Readonly<Record<Isolation, IsolationTraits>> = {
  thread: { isByReference: false, isReplicated: true, allowsTransfer: true, allowsSharedMemory: true },
  inline: { isByReference: true, isReplicated: false, allowsTransfer: true, allowsSharedMemory: true },
};

/** The isolations as users write them. */
export const ISOLATION_NAMES = Object.keys(ISOLATIONS) as Isolation[];
