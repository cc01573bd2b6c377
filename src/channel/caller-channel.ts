import { REPLICA_STATE, RESERVED, type ReplicaLoad, type Reservation } from '../load/load-table.ts';
import type { ReplicaModels } from '../load/model-table.ts';
import type { ReplicaHashes } from '../load/replica-hashes.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import { type Limit, limit } from '../time/timeout.ts';
import type { CallChannel } from './call-channel.ts';
import { CallerEnd } from './caller-end.ts';
import type { LinkLedger } from './link-ledger.ts';
import type { MethodTable } from './method-names.ts';
import type { OutboundCall } from './outbound-call.ts';
import type { FrameTransport } from './transport.ts';

/** Default upper bound of the wait for a replica's death reason, in ms. */
const DEATH_REASON_MS = 25;

/** Time in which a relay gives back calls that it has not read when its endpoint is gone, in ms. */
const RETURN_MS = 1_000;

/** The caller's view of the replica. */
export interface RemoteReplica {
  readonly load: ReplicaLoad;
  readonly tally: ReplicaTally;
  readonly methods: MethodTable;
  /** Hashes of the replicas of another instance, to which the replica is a relay. */
  readonly replicaHashes?: ReplicaHashes | undefined;
}

/** The caller's end of a channel to one replica of this process: it reserves places in the load table that all threads share. */
export class CallerChannel extends CallerEnd implements CallChannel {
  readonly isInline = false;
  readonly tier: 'local' | 'peer';
  readonly tally: ReplicaTally;
  readonly replicaHashes: ReplicaHashes | undefined;
  readonly #load: ReplicaLoad;
  readonly #ledger: LinkLedger;
  readonly #deathReasonMs: number;
  #onClosed: () => void;
  #deathReason: Limit | undefined = undefined;
  #returning: Limit | undefined = undefined;

  /**
   * @param onClosed the replica is gone: nothing can be sent any more
   * @param deathReasonMs time that started calls wait for the replica's death reason
   */
  constructor(
    transport: FrameTransport,
    ledger: LinkLedger,
    { load, tally, methods, replicaHashes }: RemoteReplica,
    onClosed: () => void,
    deathReasonMs: number = DEATH_REASON_MS,
  ) {
    super(transport, ledger, methods);
    this.#load = load;
    this.#ledger = ledger;
    this.tally = tally;
    this.replicaHashes = replicaHashes;
    this.tier = replicaHashes === undefined ? 'local' : 'peer';
    this.#onClosed = onClosed;
    this.#deathReasonMs = deathReasonMs;
  }

  get ongoing(): number {
    return this.#load.ongoing;
  }

  get limit(): number {
    return this.#load.limit;
  }

  get free(): number {
    return Math.max(0, this.#load.limit - this.#load.ongoing);
  }

  get wouldWait(): boolean {
    return this.tier === 'peer' && this.#load.wouldWait;
  }

  get models(): ReplicaModels {
    return this.#load.models;
  }

  get served(): number {
    return this.#load.served;
  }

  /** Whether the replica's loop has been held for longer than a moment, or is stuck. */
  isHeld(at: number): boolean {
    return this.#load.isHeld(at) || this.isStuck;
  }

  get isStuck(): boolean {
    return this.#load.state === REPLICA_STATE.stuck;
  }

  /** The replica's load, which records for how long its calls hold the loop. */
  get holding(): ReplicaLoad {
    return this.#load;
  }

  room(at: number): Reservation {
    return this.isClosed ? RESERVED.gone : this.#load.room(at);
  }

  reserve(at: number): Reservation {
    return this.isClosed ? RESERVED.gone : this.#load.reserve(this.#ledger, at);
  }

  reserveToWait(): Reservation {
    return this.isClosed ? RESERVED.gone : this.#load.reserveToWait(this.#ledger);
  }

  reserveBeyondLimit(): Reservation {
    return this.isClosed ? RESERVED.gone : this.#load.reserveBeyondLimit(this.#ledger);
  }

  override unreserve(): void {
    this.#load.unreserve(this.#ledger);
  }

  /**
   * The replica is gone. Calls that had not started go elsewhere at once; the others wait for the host to report the
   * death reason, which arrives a moment later.
   */
  protected override onLost(): void {
    this.shut();
    this.orphanWaiting();
    this.#deathReason = limit(this.#deathReasonMs, () => this.close(undefined));
  }

  /** A relay may lose its link to the other instance: a call that can be repeated keeps its memory until then. */
  protected override moved(call: OutboundCall): ArrayBuffer[] | undefined {
    return this.tier === 'peer' && call.isIdempotent ? undefined : call.transfer;
  }

  /** A relay whose endpoint is gone still gives calls back that it has not passed on, with the memory that moved to its thread. */
  override close(error: unknown): void {
    if (this.#returning === undefined && this.#awaitsMemory) {
      this.#returning = limit(RETURN_MS, () => super.close(error), false);
      this.#tellClosed();
      return;
    }
    super.close(error);
  }

  get #awaitsMemory(): boolean {
    if (this.tier !== 'peer' || this.isClosed) return false;
    for (const { transfer } of this.waiting())
      if (transfer?.some(({ detached }) => detached) === true) return true;
    return false;
  }

  protected override onClosing(): void {
    this.#deathReason?.cancel();
    this.#returning?.cancel();
    this.#tellClosed();
  }

  /** Once: the next life of the relay may have the same name. */
  #tellClosed(): void {
    const tell = this.#onClosed;
    this.#onClosed = () => {};
    tell();
  }
}
