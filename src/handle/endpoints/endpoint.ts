import type { CallChannel } from '../../channel/call-channel.ts';
import { hash, mix } from '../../load/hash.ts';
import type { ReplicaTally } from '../../load/replica-tally.ts';
import type { Destination } from '../call/destination.ts';
import { PeakLatency } from './peak-latency.ts';

/** Lower bound of a replica's cost: even where answers are immediate, running calls count. */
const LEAST_COST_MS = 0.01;

/** A replica as the router sees it. */
export class Endpoint implements Destination {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly channel: CallChannel;
  /** Outcomes of the calls of all callers to the replica. */
  readonly tally: ReplicaTally;
  /** Hash by which sessions rank the replica. */
  readonly affinityHash: number;
  readonly #latency = new PeakLatency();
  #factor = 1;
  #leastMs = 0;
  /** Cost of one call that is alone at the replica, per place. */
  #costMs = LEAST_COST_MS;
  #served: number;

  constructor(replicaId: string, instanceId: string, version: string, channel: CallChannel) {
    this.replicaId = replicaId;
    this.instanceId = instanceId;
    this.version = version;
    this.channel = channel;
    this.tally = channel.tally;
    this.affinityHash = hash(replicaId);
    this.#served = channel.served;
    this.#price();
  }

  /** Returns how many calls the replica ended since the last reading. */
  takeServed(): number {
    const { served } = this.channel;
    const ended = (served - this.#served) | 0;
    this.#served = served;
    return ended;
  }

  /**
   * Cost of one more call here: latency times calls per place, and more where calls fail. The limit is a part of the
   * score since an endpoint may stand for many replicas.
   */
  get score(): number {
    return (this.channel.ongoing + 1) * this.#costMs;
  }

  /**
   * Weight by which a key ranks the replica (`rendezvous.ts`). An endpoint for the replicas of another instance has that of the
   * best of them, so that all instances rank alike.
   */
  weight(key: number): number {
    const { replicaHashes } = this.channel;
    if (replicaHashes === undefined || replicaHashes.count === 0) return mix(key ^ this.affinityHash);
    let best = 0;
    for (let index = 0; index < replicaHashes.count; index++)
      best = Math.max(best, mix(key ^ replicaHashes.at(index)));
    return best;
  }

  get latencyMs(): number {
    return this.#latency.ms;
  }

  /** Whether a call to the replica ever succeeded. */
  get isKnown(): boolean {
    return this.#latency.isKnown;
  }

  /** Records the latency of a call. */
  observe(latencyMs: number, at: number): void {
    this.#latency.observe(latencyMs, at);
    this.#price();
  }

  /** Records a lower bound of a call's latency. */
  observeAtLeast(latencyMs: number, at: number): void {
    this.#latency.observeAtLeast(latencyMs, at);
    this.#price();
  }

  /**
   * Updates the cost to the present.
   * @param medianMs of the latencies of all replicas
   * @param factor cost factor for failures; a replica that fails is not taken to be quicker than the others
   */
  refresh(at: number, medianMs: number, factor: number): void {
    this.#latency.fade(at, medianMs);
    this.#factor = factor;
    this.#leastMs = factor > 1 ? medianMs : 0;
    this.#price();
  }

  #price(): void {
    const ms = Math.max(this.#latency.ms, this.#leastMs) * this.#factor + LEAST_COST_MS;
    this.#costMs = ms / Math.max(1, this.channel.limit);
  }
}
