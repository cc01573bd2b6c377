import type { CallChannel } from '../../channel/call-channel.ts';
import { hash } from '../../load/hash.ts';
import type { ReplicaTally } from '../../load/replica-tally.ts';
import type { Destination } from '../call/destination.ts';
import { PeakLatency } from './peak-latency.ts';

/** Even a replica that answers at once costs something, so that calls that run count. */
const LEAST_COST_MS = 0.01;

/** A replica as the router sees it. */
export class Endpoint implements Destination {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly channel: CallChannel;
  /** How the calls of all callers to the replica went. */
  readonly tally: ReplicaTally;
  /** What sessions rank the replica by. */
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
    this.#costMs = LEAST_COST_MS / channel.limit;
  }

  /** Calls that the replica ended since the last time. */
  takeServed(): number {
    const { served } = this.channel;
    const ended = (served - this.#served) | 0;
    this.#served = served;
    return ended;
  }

  /**
   * What one more call would cost here: latency times calls per place, and more where calls fail. The limit is a part of it
   * since an endpoint may stand for many replicas.
   */
  get score(): number {
    return (this.channel.ongoing + 1) * this.#costMs;
  }

  get latencyMs(): number {
    return this.#latency.ms;
  }

  /** Whether a call to it ever succeeded. */
  get isKnown(): boolean {
    return this.#latency.isKnown;
  }

  /** A call took so long. */
  observe(latencyMs: number, at: number): void {
    this.#latency.observe(latencyMs, at);
    this.#price();
  }

  /** A call took so long at least. */
  observeAtLeast(latencyMs: number, at: number): void {
    this.#latency.observeAtLeast(latencyMs, at);
    this.#price();
  }

  /**
   * Brings the cost up to the present.
   * @param medianMs of the latencies of all replicas
   * @param factor by which failures make the replica dearer; one that fails is no quicker than the others
   */
  refresh(at: number, medianMs: number, factor: number): void {
    this.#latency.fade(at, medianMs);
    this.#factor = factor;
    this.#leastMs = factor > 1 ? medianMs : 0;
    this.#price();
  }

  #price(): void {
    const ms = Math.max(this.#latency.ms, this.#leastMs) * this.#factor + LEAST_COST_MS;
    this.#costMs = ms / this.channel.limit;
  }
}
