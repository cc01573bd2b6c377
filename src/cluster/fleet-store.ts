/** The store's answer about the lease of the controller. */
export interface Lease {
  /** Instance and epoch that hold the lease. */
  readonly owner: string;
  /** Fencing token, which rises with every new holder. */
  readonly token: number;
}

/** A request for the lease. */
export interface LeaseRequest {
  readonly owner: string;
  /** Life of the lease without renewal, in ms; 0 releases it. */
  readonly ttlMs: number;
  /** Highest token that the candidate ever saw in a sealed document or on a link. */
  readonly floor: number;
}

export interface JoinRequest {
  readonly id: string;
  /** Changes whenever the record does. */
  readonly revision: string;
  readonly record: Uint8Array;
  readonly ttlMs: number;
  /** Time at which each version of the code was first seen, to the instance's knowledge. */
  readonly versions: Readonly<Record<string, number>>;
  /** Version of the instance itself, which gets a time if it has none. */
  readonly version: string;
  readonly declarationHash: string;
  readonly declaration: Uint8Array;
  readonly declarationTtlMs: number;
}

export interface JoinAnswer {
  readonly versions: Readonly<Record<string, number>>;
}

export interface BeatRequest {
  readonly id: string;
  readonly ttlMs: number;
  readonly declarationHash: string;
  readonly declarationTtlMs: number;
  /** The lease, if it is renewed along with the record. */
  readonly lease: Lease | undefined;
  readonly leaseTtlMs: number;
  /** Life of the overrides and of the plan, renewed together with the lease. */
  readonly documentTtlMs: number;
  /** The slice of a crowded fleet to list. */
  readonly slice: number;
}

export interface SeenMember {
  readonly id: string;
  readonly revision: string;
  /** Time until its record expires, in ms; −2 if there is no record. */
  readonly ttlMs: number;
}

export interface BeatAnswer {
  /** Whether the record or the declaration of the instance is missing, so that the instance must join again. */
  readonly isGone: boolean;
  /** Members in the order of their ids: all, or one slice of a crowded fleet. */
  readonly members: readonly SeenMember[];
  readonly memberCount: number;
  readonly lease: Lease | undefined;
  /** Generation of the overrides; 0 if no overrides exist. */
  readonly generation: number;
  /** First bytes of the seal of the overrides, in hex; empty if no overrides exist. */
  readonly overridesTag: string;
  /** Number of the plan; 0 if no plan exists. */
  readonly planNumber: number;
  readonly planToken: number;
}

export interface OverrideRequest {
  /** Generation that the store is believed to hold. */
  readonly expected: number;
  readonly generation: number;
  readonly value: Uint8Array;
  readonly ttlMs: number;
}

export interface PlanRequest extends Lease {
  /** Number that the store is believed to hold. */
  readonly expected: number;
  readonly number: number;
  readonly pages: readonly Uint8Array[];
  readonly ttlMs: number;
}

export interface WriteAnswer {
  readonly isAccepted: boolean;
}

export interface ReadRequest {
  readonly members: readonly string[];
  readonly declarations: readonly string[];
  readonly overrides: boolean;
  readonly plan: boolean;
  readonly versions: boolean;
}

/** A stored document with its number. */
export interface Numbered<V> {
  readonly number: number;
  readonly value: V;
}

export interface ReadAnswer {
  readonly members: Readonly<Record<string, Uint8Array | undefined>>;
  readonly declarations: Readonly<Record<string, Uint8Array | undefined>>;
  readonly overrides: Numbered<Uint8Array> | undefined;
  readonly plan: Numbered<readonly Uint8Array[]> | undefined;
  /** Time at which each version of the code was first seen. */
  readonly versions: Readonly<Record<string, number>>;
}

export interface LeaveRequest {
  readonly id: string;
  /** Removes the member only if its record has expired. */
  readonly isOnlyIfDead: boolean;
}

/** Requests and answers of a fleet's store by operation. */
export interface StoreOperations {
  join: { request: JoinRequest; answer: JoinAnswer };
  beat: { request: BeatRequest; answer: BeatAnswer };
  lease: { request: LeaseRequest; answer: Lease | undefined };
  override: { request: OverrideRequest; answer: WriteAnswer };
  plan: { request: PlanRequest; answer: WriteAnswer };
  read: { request: ReadRequest; answer: ReadAnswer };
  leave: { request: LeaveRequest; answer: WriteAnswer };
}

export type StoreOperation = keyof StoreOperations;

/** The number of a plan or the generation of overrides that was just written. */
export interface Hint {
  readonly kind: 'plan' | 'override';
  readonly number: number;
}

/**
 * The shared state of a fleet's instances: the members, the leader, the overrides, and the plan. Values are sealed
 * bytes that the store does not interpret. Each operation is atomic, takes one round trip and may be repeated.
 *
 * @throws FleetStoreError from every operation
 */
export type FleetStore = {
  readonly [O in StoreOperation]: (
    request: StoreOperations[O]['request'],
  ) => Promise<StoreOperations[O]['answer']>;
} & {
  /** Calls the listener for each write of a plan or of overrides, until the result is called. */
  onHint(listener: (hint: Hint) => void): () => void;
};

/** Reason for which a store refused or failed an operation. */
export type StoreFailure =
  | 'timeout'
  | 'unreachable'
  | 'out-of-memory'
  | 'read-only'
  | 'no-permission'
  | 'no-authentication'
  | 'wrong-type'
  | 'misconfigured'
  | 'loading'
  | 'other';

export class FleetStoreError extends Error {
  override readonly name = 'FleetStoreError';
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

/** A fleet with more members than this is listed slice by slice. */
export const SLICE_MEMBERS = 512;
/** Maximum lead of a fencing token over the store's time, in ms: a forged token must not spoil later numbers. */
export const MAX_TOKEN_LEAD_MS: number = 24 * 60 * 60_000;
/**
 * Number from which a generation or a plan number is taken as forged and counts as absent: later numbers could not be
 * told apart.
 */
export const MAX_NUMBER: number = 2 ** 40;
/** Maximum number of remembered code versions; the latest are kept. */
export const MAX_VERSIONS = 64;
/** Number of bytes of a seal that distinguish two documents of one number. */
export const TAG_BYTES = 8;
