import {
  type BeatAnswer,
  type BeatRequest,
  type FleetStore,
  FleetStoreError,
  type Hint,
  type JoinAnswer,
  type JoinRequest,
  type Lease,
  type LeaseRequest,
  type LeaveRequest,
  MAX_NUMBER,
  MAX_TOKEN_LEAD_MS,
  MAX_VERSIONS,
  type OverrideRequest,
  type PlanRequest,
  type ReadAnswer,
  type ReadRequest,
  type SeenMember,
  SLICE_MEMBERS,
  type StoreFailure,
  type StoreOperation,
  type StoreOperations,
  TAG_BYTES,
  type WriteAnswer,
} from './fleet-store.ts';

interface Expiring<V> {
  readonly value: V;
  expiresAt: number;
}

interface StoredPlan {
  readonly number: number;
  readonly token: number;
  readonly pages: readonly Uint8Array[];
}

/** The complete contents of a store. */
interface Contents {
  readonly records: Map<string, Expiring<Uint8Array>>;
  readonly revisions: Map<string, string>;
  readonly declarations: Map<string, Expiring<Uint8Array>>;
  readonly versions: Map<string, number>;
  lease: Expiring<Lease> | undefined;
  overrides: Expiring<{ readonly generation: number; readonly value: Uint8Array }> | undefined;
  plan: Expiring<StoredPlan> | undefined;
}

function empty(): Contents {
  return {
    records: new Map(),
    revisions: new Map(),
    declarations: new Map(),
    versions: new Map(),
    lease: undefined,
    overrides: undefined,
    plan: undefined,
  };
}

/** Faults that keep a store from writing. */
export type WriteFault = Extract<StoreFailure, 'out-of-memory' | 'read-only' | 'no-permission'>;

/** The semantics of a fleet's store without any waiting: the reference for the scripts that run in Redis. */
export class MemoryFleetState {
  readonly #now: () => number;
  readonly #hints = new Set<(hint: Hint) => void>();
  #contents = empty();
  /** Makes operations fail as Redis would. `out-of-memory` spares operations that only renew. */
  fault: WriteFault | undefined = undefined;

  /** @param now the store's own wall clock, in ms */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  run<O extends StoreOperation>(
    operation: O,
    request: StoreOperations[O]['request'],
  ): StoreOperations[O]['answer'] {
    const method = this[operation] as (
      request: StoreOperations[O]['request'],
    ) => StoreOperations[O]['answer'];
    return method.call(this, request);
  }

  join(request: JoinRequest): JoinAnswer {
    this.#assertWritable();
    const now = this.#now();
    const { records, revisions, declarations, versions } = this.#contents;
    records.set(request.id, { value: request.record, expiresAt: now + request.ttlMs });
    revisions.set(request.id, request.revision);
    declarations.set(request.declarationHash, {
      value: request.declaration,
      expiresAt: now + request.declarationTtlMs,
    });
    for (const [version, at] of Object.entries(request.versions)) {
      if (at <= now + MAX_TOKEN_LEAD_MS) versions.set(version, Math.max(versions.get(version) ?? 0, at));
    }
    if (!versions.has(request.version))
      versions.set(request.version, Math.max(now, Math.max(0, ...versions.values()) + 1));
    const oldest = [...versions].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
    for (const [version] of oldest.slice(0, Math.max(0, versions.size - MAX_VERSIONS)))
      versions.delete(version);
    return { versions: Object.fromEntries(versions) };
  }

  beat(request: BeatRequest): BeatAnswer {
    this.#assertRenewable();
    const now = this.#now();
    this.#expire(now);
    const { records, declarations } = this.#contents;
    const isHere = renew(records.get(request.id), now + request.ttlMs);
    const isDeclared = renew(declarations.get(request.declarationHash), now + request.declarationTtlMs);
    const { lease, leaseTtlMs } = request;
    // After the store's clock has jumped back, its contents would live longer by the length of the jump.
    for (const record of records.values()) clamp(record, now + request.ttlMs);
    clamp(this.#contents.lease, now + leaseTtlMs);
    const held = this.#lease(now, 0);
    if (lease !== undefined && held?.owner === lease.owner && held.token === lease.token) {
      renew(this.#contents.lease, now + leaseTtlMs);
      renew(this.#contents.overrides, now + request.documentTtlMs);
      renew(this.#contents.plan, now + request.documentTtlMs);
    }
    const overrides = this.#overrides();
    const plan = this.#plan();
    return {
      isGone: !isHere || !isDeclared,
      members: this.#members(now, request.slice),
      memberCount: this.#contents.revisions.size,
      lease: held,
      generation: overrides?.generation ?? 0,
      overridesTag: overrides === undefined ? '' : tagOf(overrides.value),
      planNumber: plan?.number ?? 0,
      planToken: plan?.token ?? 0,
    };
  }

  lease({ owner, ttlMs, floor }: LeaseRequest): Lease | undefined {
    this.#assertRenewable();
    const now = this.#now();
    this.#expire(now);
    const held = this.#lease(now, floor);
    if (ttlMs === 0) {
      if (held?.owner === owner) this.#contents.lease = undefined;
      return this.#lease(now, floor);
    }
    if (held !== undefined) {
      if (held.owner === owner) renew(this.#contents.lease, now + ttlMs);
      return held;
    }
    this.#assertWritable();
    const last = Math.max(this.#lease(now, 0)?.token ?? 0, this.#planToken(now));
    const token = Math.max(last + 1, now, floor + 1);
    this.#contents.lease = { value: { owner, token }, expiresAt: now + ttlMs };
    return { owner, token };
  }

  override({ expected, generation, value, ttlMs }: OverrideRequest): WriteAnswer {
    this.#assertWritable();
    const now = this.#now();
    this.#expire(now);
    const stored = this.#overrides();
    if (stored !== undefined && stored.generation === generation) {
      const order = Buffer.compare(value, stored.value);
      if (order === 0) return { isAccepted: true };
      // Two documents of one generation, after lost writes: the greater seal wins.
      if (expected !== generation || order < 0) return { isAccepted: false };
    } else if (stored !== undefined && (stored.generation !== expected || generation < expected))
      return { isAccepted: false };
    this.#contents.overrides = { value: { generation, value }, expiresAt: now + ttlMs };
    this.#announce({ kind: 'override', number: generation });
    return { isAccepted: true };
  }

  plan({ owner, token, expected, number, pages, ttlMs }: PlanRequest): WriteAnswer {
    this.#assertWritable();
    const now = this.#now();
    this.#expire(now);
    const lease = this.#lease(now, 0);
    if (lease?.owner !== owner || lease.token !== token) return { isAccepted: false };
    const stored = this.#plan();
    if (stored !== undefined) {
      if (stored.number === number && stored.token === token)
        return { isAccepted: isSame(stored.pages, pages) };
      if (stored.number !== expected || number <= expected) return { isAccepted: false };
    }
    this.#contents.plan = { value: { number, token, pages }, expiresAt: now + ttlMs };
    this.#announce({ kind: 'plan', number });
    return { isAccepted: true };
  }

  read({ members, declarations, overrides, plan, versions }: ReadRequest): ReadAnswer {
    if (this.fault === 'no-permission') throw new FleetStoreError('no-permission', 'NOPERM (simulated)');
    this.#expire(this.#now());
    const contents = this.#contents;
    const stored = this.#overrides();
    const storedPlan = this.#plan();
    const times = versions ? Object.fromEntries(contents.versions) : {};
    const values = (keys: readonly string[], from: Map<string, Expiring<Uint8Array>>) =>
      Object.fromEntries(keys.map((key) => [key, from.get(key)?.value]));
    return {
      members: values(members, contents.records),
      declarations: values(declarations, contents.declarations),
      overrides:
        overrides && stored !== undefined ? { number: stored.generation, value: stored.value } : undefined,
      versions: times,
      plan:
        plan && storedPlan !== undefined ? { number: storedPlan.number, value: storedPlan.pages } : undefined,
    };
  }

  leave({ id, isOnlyIfDead }: LeaveRequest): WriteAnswer {
    this.#assertRenewable();
    this.#expire(this.#now());
    const { records, revisions } = this.#contents;
    if (isOnlyIfDead && records.has(id)) return { isAccepted: false };
    records.delete(id);
    revisions.delete(id);
    return { isAccepted: true };
  }

  onHint(listener: (hint: Hint) => void): () => void {
    this.#hints.add(listener);
    return () => this.#hints.delete(listener);
  }

  /** Loses all contents, like a restarting Redis without persistence. */
  wipe(): void {
    this.#contents = empty();
  }

  /** @returns a function that restores the present contents, like a failover to a lagging replica */
  snapshot(): () => void {
    const copy = structuredClone(this.#contents);
    return () => {
      this.#contents = copy;
    };
  }

  /** Writes contents without any check, like an attacker with access to the store but without the secret. */
  forge(forged: { readonly lease?: Lease; readonly overrides?: Numbered; readonly plan?: ForgedPlan }): void {
    const expiresAt = this.#now() + 60_000;
    const { lease, overrides, plan } = forged;
    if (lease !== undefined) this.#contents.lease = { value: lease, expiresAt };
    if (overrides !== undefined)
      this.#contents.overrides = {
        value: { generation: overrides.number, value: overrides.value },
        expiresAt,
      };
    if (plan !== undefined)
      this.#contents.plan = {
        value: { number: plan.number, token: plan.token, pages: [plan.value] },
        expiresAt,
      };
  }

  #members(now: number, slice: number): SeenMember[] {
    const { revisions, records } = this.#contents;
    const ids = [...revisions.keys()].sort(byBytes);
    const slices = Math.ceil(ids.length / SLICE_MEMBERS);
    const first = ids.length <= SLICE_MEMBERS ? 0 : (slice % slices) * SLICE_MEMBERS;
    return ids.slice(first, first + SLICE_MEMBERS).map((id) => {
      const record = records.get(id);
      return {
        id,
        revision: revisions.get(id) ?? '',
        ttlMs: record === undefined ? -2 : record.expiresAt - now,
      };
    });
  }

  #overrides(): { readonly generation: number; readonly value: Uint8Array } | undefined {
    const overrides = this.#contents.overrides?.value;
    return overrides === undefined || overrides.generation >= MAX_NUMBER ? undefined : overrides;
  }

  #plan(): StoredPlan | undefined {
    const plan = this.#contents.plan?.value;
    return plan === undefined || plan.number >= MAX_NUMBER ? undefined : plan;
  }

  /** The token of the last plan outlives its lease: should the clock jump back, the token is not given out again. */
  #planToken(now: number): number {
    const token = this.#plan()?.token ?? 0;
    return token > now + MAX_TOKEN_LEAD_MS ? 0 : token;
  }

  /** A token below the floor, or far ahead of the store's time, counts as no lease at all. */
  #lease(now: number, floor: number): Lease | undefined {
    const lease = this.#contents.lease?.value;
    if (lease === undefined || lease.token < floor || lease.token > now + MAX_TOKEN_LEAD_MS) return undefined;
    return lease;
  }

  #expire(now: number): void {
    const contents = this.#contents;
    for (const map of [contents.records, contents.declarations]) {
      for (const [key, { expiresAt }] of map) if (expiresAt <= now) map.delete(key);
    }
    for (const key of ['lease', 'overrides', 'plan'] as const) {
      if ((contents[key]?.expiresAt ?? Infinity) <= now) contents[key] = undefined;
    }
  }

  #announce(hint: Hint): void {
    for (const listener of this.#hints) listener(hint);
  }

  #assertWritable(): void {
    this.#assertRenewable();
    if (this.fault === 'out-of-memory') throw new FleetStoreError('out-of-memory', 'OOM (simulated)');
  }

  #assertRenewable(): void {
    if (this.fault === 'read-only') throw new FleetStoreError('read-only', 'READONLY (simulated)');
    if (this.fault === 'no-permission') throw new FleetStoreError('no-permission', 'NOPERM (simulated)');
  }
}

interface Numbered {
  readonly number: number;
  readonly value: Uint8Array;
}

interface ForgedPlan extends Numbered {
  readonly token: number;
}

/** A fleet's store within one process: for tests, and as the model of the Redis store. */
export function memoryFleetStore(state: MemoryFleetState = new MemoryFleetState()): FleetStore {
  const operation =
    <O extends StoreOperation>(name: O) =>
    async (request: StoreOperations[O]['request']): Promise<StoreOperations[O]['answer']> =>
      state.run(name, request);
  return {
    join: operation('join'),
    beat: operation('beat'),
    lease: operation('lease'),
    override: operation('override'),
    plan: operation('plan'),
    read: operation('read'),
    leave: operation('leave'),
    onHint: (listener) => state.onHint(listener),
  };
}

function renew(entry: { expiresAt: number } | undefined, expiresAt: number): boolean {
  if (entry === undefined) return false;
  entry.expiresAt = expiresAt;
  return true;
}

function clamp(entry: { expiresAt: number } | undefined, latest: number): void {
  if (entry !== undefined) entry.expiresAt = Math.min(entry.expiresAt, latest);
}

function tagOf(value: Uint8Array): string {
  return Buffer.from(value.subarray(0, TAG_BYTES)).toString('hex');
}

function isSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return (
    a.length === b.length && a.every((page, index) => Buffer.compare(page, b[index] as Uint8Array) === 0)
  );
}

/** Redis sorts bytes; ids are ASCII. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
