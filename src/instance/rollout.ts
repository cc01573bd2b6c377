import {
  isProved,
  ROLLOUT_BEGIN,
  type RolloutView,
  rollOut,
  type VersionRecord,
} from '../controller/roll-out.ts';
import { addTallies, NO_CALLS, type Tally } from '../pool/replica-tally.ts';
import type { ThreadReplica } from './thread-replica.ts';

/** What a rollout has to know of the deployment at a time. */
export type RolloutSight = Omit<RolloutView, 'fresh' | 'baseline' | 'ongoing'> & { readonly queued: number };

interface Side {
  deaths: number;
  /** Of replicas that are gone. */
  gone: Tally;
}

/** The change of a deployment to another version: keeps the books of both, and asks the controller where it stands. */
export class Rollout {
  readonly fingerprint: string;
  readonly #replicas: Iterable<ThreadReplica>;
  readonly #fresh: Side = { deaths: 0, gone: NO_CALLS };
  readonly #baseline: Side = { deaths: 0, gone: NO_CALLS };
  #state = ROLLOUT_BEGIN;

  /** @param fingerprint of the new version */
  constructor(fingerprint: string, replicas: Iterable<ThreadReplica>) {
    this.fingerprint = fingerprint;
    this.#replicas = replicas;
  }

  /** The new version has to prove itself beside all of the old one. */
  get isOnTrial(): boolean {
    return this.#state.phase === 'surging' || this.#state.phase === 'proving';
  }

  get isDone(): boolean {
    return this.#state.phase === 'done';
  }

  /** A replica that had come up died. */
  died(replica: ThreadReplica): void {
    this.#sideOf(replica).deaths++;
  }

  /** A replica is gone: what it counted is kept. */
  ended(replica: ThreadReplica): void {
    const side = this.#sideOf(replica);
    side.gone = addTallies(side.gone, replica.tally.read());
  }

  /** @returns what is wrong with the new version; and whether it can do without the old one */
  step(sight: RolloutSight): { fault: string | undefined; isProved: boolean } {
    const view = this.#view(sight);
    const { state, fault } = rollOut(this.#state, view);
    this.#state = state;
    for (const { tally } of this.#replicas) tally.isObserved = !this.isDone;
    return { fault, isProved: state.phase !== 'surging' && isProved(state, view) };
  }

  #view({ queued, ...sight }: RolloutSight): RolloutView {
    let ongoing = queued;
    for (const { fingerprint, load } of this.#replicas)
      if (fingerprint === this.fingerprint) ongoing += load.ongoing;
    return { ...sight, ongoing, fresh: this.#record(this.#fresh), baseline: this.#record(this.#baseline) };
  }

  #record(side: Side): VersionRecord {
    let tally = side.gone;
    for (const replica of this.#replicas)
      if (this.#sideOf(replica) === side) tally = addTallies(tally, replica.tally.read());
    return { ...tally, deaths: side.deaths };
  }

  #sideOf({ fingerprint }: ThreadReplica): Side {
    return fingerprint === this.fingerprint ? this.#fresh : this.#baseline;
  }
}
