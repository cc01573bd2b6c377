import {
  baselineOf,
  isProved,
  ROLLOUT_BEGIN,
  type RolloutView,
  rollOut,
} from '../../../controller/roll-out.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { addTallies, NO_CALLS, type Tally, tallySince } from '../../../load/replica-tally.ts';

/** State of the deployment that a rollout needs. */
export type RolloutSight = Omit<RolloutView, 'fresh' | 'baseline' | 'baselineCalls' | 'ongoing'> & {
  readonly queued: number;
};

interface Side {
  deaths: number;
  /** Counts of replicas that are gone: since the rollout began, and in total. */
  recent: Tally;
  all: Tally;
}

const newSide = (): Side => ({ deaths: 0, recent: NO_CALLS, all: NO_CALLS });

/** The change of a deployment to another version: counts the calls of both versions, and asks the controller for the phase. */
export class Rollout {
  readonly fingerprint: string;
  readonly #replicas: Iterable<ManagedReplica>;
  readonly #fresh = newSide();
  readonly #baseline = newSide();
  /** Counts of the replicas when the rollout began. */
  readonly #before = new Map<ManagedReplica, Tally>();
  #state = ROLLOUT_BEGIN;

  /** @param fingerprint fingerprint of the new version */
  constructor(fingerprint: string, replicas: Iterable<ManagedReplica>) {
    this.fingerprint = fingerprint;
    this.#replicas = replicas;
    for (const replica of replicas) this.#before.set(replica, replica.tally.read());
  }

  /** Whether the new version has yet to prove itself beside all replicas of the old one. */
  get isOnTrial(): boolean {
    return this.#state.phase === 'surging' || this.#state.phase === 'proving';
  }

  get isDone(): boolean {
    return this.#state.phase === 'done';
  }

  /** A replica that had come up died. */
  died(replica: ManagedReplica): void {
    this.#sideOf(replica).deaths++;
  }

  /** Keeps the counts of a replica that is gone. */
  ended(replica: ManagedReplica): void {
    const side = this.#sideOf(replica);
    const { recent, all } = this.#tallies(replica);
    side.recent = addTallies(side.recent, recent);
    side.all = addTallies(side.all, all);
    this.#before.delete(replica);
  }

  /** @returns the fault of the new version, and whether it can do without the old one */
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
    const [fresh, baseline] = [this.#sum(this.#fresh), this.#sum(this.#baseline)];
    return {
      ...sight,
      ongoing,
      fresh: { ...fresh.recent, deaths: this.#fresh.deaths },
      baseline: { ...baselineOf(baseline.recent, baseline.all), deaths: this.#baseline.deaths },
      baselineCalls: baseline.recent.calls,
    };
  }

  #sum(side: Side): Pick<Side, 'recent' | 'all'> {
    let { recent, all } = side;
    for (const replica of this.#replicas) {
      if (this.#sideOf(replica) !== side) continue;
      const own = this.#tallies(replica);
      recent = addTallies(recent, own.recent);
      all = addTallies(all, own.all);
    }
    return { recent, all };
  }

  #tallies(replica: ManagedReplica): Pick<Side, 'recent' | 'all'> {
    const all = replica.tally.read();
    return { all, recent: tallySince(this.#before.get(replica) ?? NO_CALLS, all) };
  }

  #sideOf({ fingerprint }: ManagedReplica): Side {
    return fingerprint === this.fingerprint ? this.#fresh : this.#baseline;
  }
}
