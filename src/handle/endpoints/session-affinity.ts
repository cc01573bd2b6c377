import { hash, mix } from '../../load/hash.ts';
import { SESSION_BUCKETS, SessionTable } from '../../load/session-table.ts';
import type { Endpoint } from './endpoint.ts';
import { bestByRendezvous, rankByRendezvous } from './rendezvous.ts';

/** Interval between balancing runs, in ms. */
const BALANCE_MS = 500;
/** Multiple of its share of the last 10 s of work above which a replica gives sessions away. */
const BOUND = 1.15;
/** Multiple of its share up to which a replica takes over sessions. */
const ROOM = 1.05;
/** While no replica has room, a session moves if the load of its new replica stays below this share of the old one's load. */
const GAIN = 0.9;
/** Calls per replica in the last 10 s without which nothing is moved: shares of fewer calls are random. */
const LEAST_CALLS = 50;
/** Unit in which work is counted, in ms; a call counts as one unit at least, and as 10 s at most. */
const UNIT_MS = 0.01;
const MOST_UNITS = 10_000 / UNIT_MS;

/**
 * Assigns sessions to replicas: rendezvous hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018). Each
 * session ranks the replicas in its own way and belongs to the first; adding or removing a replica moves only the
 * sessions of that replica. A replica whose sessions made more than their share of the work of the last 10 s gives some
 * of them to the next one in their order that has room, for good: a session that has moved stays where it is.
 *
 * In a fleet each session ranks the replicas of all instances, so that its calls end at the same instance wherever they
 * enter. Inside its own, each instance moves sessions as above, for the calls of its peers as well.
 *
 * The bound applies to the work of the last seconds, not to the calls that run now: those calls change so fast that
 * sessions would move all the time (stickiness 0.6).
 */
export class SessionAffinity {
  #shared: SessionTable | undefined = undefined;

  get #table(): SessionTable {
    this.#shared ??= new SessionTable();
    return this.#shared;
  }

  /** The table that all threads share arrived. */
  adopt(table: SessionTable): void {
    this.#shared = table;
  }

  /** All replicas, the session's own first, then in the order in which its calls overflow when that replica is full. */
  *rank(session: string, endpoints: readonly Endpoint[]): Generator<Endpoint> {
    const bucket = bucketOf(session);
    const home = this.#home(bucket, endpoints);
    yield home;
    for (const endpoint of rankByRendezvous(keyOf(bucket), endpoints)) if (endpoint !== home) yield endpoint;
  }

  /** A call of the session has ended at a replica of this instance. @param ms duration of the call */
  worked(session: string, ms: number): void {
    this.#table.add(bucketOf(session), Math.min(MOST_UNITS, Math.ceil(Math.max(ms, UNIT_MS) / UNIT_MS)));
  }

  /** Called every 50 ms while calls come: moves sessions away from replicas that have too much work. */
  balance(at: number, all: readonly Endpoint[]): void {
    const table = this.#shared;
    if (table === undefined) return;
    table.advance(at);
    const endpoints = localOf(all);
    const isDue = endpoints.length > 1 && table.calls >= LEAST_CALLS * endpoints.length;
    if (!isDue || !table.claimBalancing(at, BALANCE_MS)) return;
    const shares = new Map(endpoints.map((endpoint) => [endpoint, new Share()]));
    for (let bucket = 0; bucket < SESSION_BUCKETS; bucket++) {
      const work = table.work(bucket);
      if (work > 0) shares.get(this.#locate(bucket, endpoints))?.add(bucket, work);
    }
    let fair = 0;
    for (const { work } of shares.values()) fair += work / endpoints.length;
    for (const [from, share] of shares) {
      if (share.work > BOUND * fair) this.#relieve(from, shares, fair);
    }
  }

  /** Moves sessions to replicas with room, the busiest sessions first, so that the fewest move. */
  #relieve(from: Endpoint, shares: ReadonlyMap<Endpoint, Share>, fair: number): void {
    const share = shares.get(from);
    const endpoints = [...shares.keys()];
    for (const { bucket, work } of share?.buckets() ?? []) {
      if (share === undefined || share.work <= BOUND * fair) return;
      const others = rankByRendezvous(keyOf(bucket), endpoints).filter((endpoint) => endpoint !== from);
      const withIt = (endpoint: Endpoint): number => (shares.get(endpoint)?.work ?? 0) + work;
      const to =
        others.find((endpoint) => withIt(endpoint) <= ROOM * fair) ??
        others.find((endpoint) => withIt(endpoint) <= GAIN * share.work);
      if (to === undefined) continue;
      share.remove(work);
      shares.get(to)?.add(bucket, work);
      this.#table.move(bucket, to.affinityHash | 0);
    }
  }

  /** The replica to which the sessions of a bucket belong, or the instance of that replica. */
  #home(bucket: number, endpoints: readonly Endpoint[]): Endpoint {
    const local = localOf(endpoints);
    if (local !== endpoints) {
      const best = bestByRendezvous(keyOf(bucket), endpoints);
      if (best.channel.tier === 'peer') return best;
    }
    return this.#locate(bucket, local);
  }

  #locate(bucket: number, endpoints: readonly Endpoint[]): Endpoint {
    const place = this.#table.place(bucket);
    const moved =
      place === 0 ? undefined : endpoints.find(({ affinityHash }) => (affinityHash | 0) === place);
    return moved ?? bestByRendezvous(keyOf(bucket), endpoints);
  }
}

/** Work at one replica, and the sessions that made it. */
class Share {
  work = 0;
  readonly #buckets: { readonly bucket: number; readonly work: number }[] = [];

  add(bucket: number, work: number): void {
    this.work += work;
    this.#buckets.push({ bucket, work });
  }

  remove(work: number): void {
    this.work -= work;
  }

  /** The buckets, most work first. */
  buckets(): readonly { readonly bucket: number; readonly work: number }[] {
    return this.#buckets.toSorted((a, b) => b.work - a.work || a.bucket - b.bucket);
  }
}

/** The replicas of this instance; the list itself if there are no others. */
function localOf(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const isLocal = ({ channel }: Endpoint): boolean => channel.tier === 'local';
  return endpoints.every(isLocal) ? endpoints : endpoints.filter(isLocal);
}

function bucketOf(session: string): number {
  return hash(session) % SESSION_BUCKETS;
}

/** The key by which a bucket ranks the replicas. */
function keyOf(bucket: number): number {
  return mix(bucket + 1);
}
