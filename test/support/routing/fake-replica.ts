import type { CallChannel } from '../../../src/channel/call-channel.ts';
import type { OutboundCall } from '../../../src/channel/outbound-call.ts';
import { KeyedCall } from '../../../src/handle/api/keyed-call.ts';
import { Call } from '../../../src/handle/call/call.ts';
import { Endpoint } from '../../../src/handle/endpoints/endpoint.ts';
import { hash } from '../../../src/load/hash.ts';
import { HOLDS_NOTHING } from '../../../src/load/holding.ts';
import { RESERVED, type Reservation } from '../../../src/load/load-table.ts';
import { MODEL_TABLE_BYTES, ModelTable } from '../../../src/load/model-table.ts';
import type { ReplicaHashes } from '../../../src/load/replica-hashes.ts';
import { ReplicaTally } from '../../../src/load/replica-tally.ts';
import { beginBatch } from '../../../src/time/clock.ts';

/** A replica that does nothing by itself: a test answers for it. */
export class FakeReplica implements CallChannel {
  readonly methods = new Map([['call', 0]]);
  readonly endpoint: Endpoint;
  /** Calls that were sent here and have not ended, in order; the replica may have been told to cancel them. */
  readonly open: OutboundCall[] = [];
  readonly cancelled: Set<OutboundCall> = new Set<OutboundCall>();
  limit: number;
  ongoing = 0;
  /** The largest number of calls at a time. */
  peak = 0;
  served = 0;
  isClosed = false;
  readonly tier: 'local' | 'peer';
  readonly tally = new ReplicaTally();
  readonly ended = Promise.resolve();
  readonly models = new ModelTable(new SharedArrayBuffer(MODEL_TABLE_BYTES), 0);
  /** Hashes of the replicas of a peer. */
  replicaHashes: ReplicaHashes | undefined = undefined;
  readonly #listeners: Array<() => void> = [];

  constructor(name: string, limit: number, tier: 'local' | 'peer' = 'local', version = 'v1') {
    this.limit = limit;
    this.tier = tier;
    this.endpoint = new Endpoint(name, 'instance', version, this);
  }

  /** It stands for these replicas of a peer. */
  standFor(replicaIds: readonly string[]): void {
    const hashes = replicaIds.map(hash);
    this.replicaHashes = { count: hashes.length, at: (index) => hashes[index] as number };
  }

  get free(): number {
    return Math.max(0, this.limit - this.ongoing);
  }

  /** Number of calls for which it has room beyond its free places, as a peer has. */
  roomToWait = 0;

  get wouldWait(): boolean {
    return this.roomToWait > 0 && this.ongoing >= this.limit;
  }

  get outstanding(): number {
    return this.open.length;
  }

  /** Its loop is held, as a test says. */
  isLoopHeld = false;
  readonly isInline = false;
  isStuck = false;
  readonly holding = HOLDS_NOTHING;
  /** Calls that it has not begun, as a test says. */
  readonly unbegun = new Set<OutboundCall>();

  isHeld(): boolean {
    return this.isLoopHeld || this.isStuck;
  }

  takeBack(call: OutboundCall): boolean {
    if (!this.unbegun.delete(call)) return false;
    this.open.splice(this.open.indexOf(call), 1);
    this.ongoing--;
    return true;
  }

  waiting(): Iterable<OutboundCall> {
    return this.unbegun;
  }

  running(): Iterable<OutboundCall> {
    return this.open.filter((call) => !this.unbegun.has(call));
  }

  room(): Reservation {
    if (this.isClosed) return RESERVED.gone;
    return this.ongoing >= this.limit + this.roomToWait || this.isHeld() ? RESERVED.full : RESERVED.ok;
  }

  reserve(): Reservation {
    const room = this.room();
    if (room !== RESERVED.ok) return room;
    this.ongoing++;
    this.peak = Math.max(this.peak, this.ongoing);
    return RESERVED.ok;
  }

  reserveToWait(): Reservation {
    const isHeld = this.isLoopHeld;
    this.isLoopHeld = false;
    const reserved = this.reserve();
    this.isLoopHeld = isHeld;
    return reserved;
  }

  reserveBeyondLimit(): Reservation {
    return this.reserve();
  }

  unreserve(): void {
    this.ongoing--;
  }

  send(call: OutboundCall): void {
    this.open.push(call);
  }

  cancel(call: OutboundCall): void {
    if (this.open.includes(call)) this.cancelled.add(call);
  }

  credit(): void {}
  upload(): void {}
  endUpload(): void {}

  onFreed(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Answers one of its calls. @param isFailure through no fault of the caller */
  answer(call: OutboundCall | undefined, tell: (call: OutboundCall) => void, isFailure = false): void {
    if (call === undefined) return;
    this.endpoint.tally.record(isFailure, undefined);
    this.open.splice(this.open.indexOf(call), 1);
    this.ongoing--;
    this.served++;
    beginBatch();
    tell(call);
    for (const listener of this.#listeners) listener();
  }

  /** Dies: the first `started` of its calls had begun. */
  die(started: number, remove: () => void): void {
    this.isClosed = true;
    remove();
    for (const [index, call] of this.open.splice(0).entries()) call.orphaned(index < started, undefined);
  }

  close(): void {
    this.isClosed = true;
  }
}

type Ending = { value: unknown } | { error: unknown };

/** A keyed call that writes down how it ended. */
export class TestKeyedCall extends KeyedCall {
  readonly endings: Ending[] = [];

  get outcome(): string | undefined {
    return outcomeOf(this.endings);
  }

  protected override onResult(value: unknown): void {
    this.endings.push({ value });
    super.onResult(value);
  }

  protected override onError(error: unknown): void {
    this.endings.push({ error });
    super.onError(error);
  }
}

/** A call that writes down how it ended: once, or something is wrong. */
export class TestCall extends Call {
  readonly endings: Ending[] = [];

  protected override onResult(value: unknown): void {
    this.endings.push({ value });
  }

  protected override onError(error: unknown): void {
    this.endings.push({ error });
  }

  protected override onOpen(): void {}
  protected override onChunk(): void {}

  protected override onEnd(): void {
    this.endings.push({ value: undefined });
  }

  get outcome(): string | undefined {
    return outcomeOf(this.endings);
  }
}

/** The code it ended with; `ok`, or undefined while it is open. */
function outcomeOf([ending]: readonly Ending[]): string | undefined {
  if (ending === undefined) return undefined;
  if ('value' in ending) return 'ok';
  return String(Reflect.get(ending.error as object, 'code') ?? 'error');
}
