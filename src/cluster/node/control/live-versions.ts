import { firstSeen } from '../declaration.ts';
import type { FleetTiming } from '../timing.ts';

/** A live member and the version of its code. */
export interface VersionedMember {
  readonly codeVersion: string;
  /** Time since which the member is up; undefined: not up. */
  readonly upSince: number | undefined;
}

/**
 * Tracks the versions of the code that count: versions that have a live member or recently had one. So a return to an
 * older version makes it the newest again.
 */
export class LiveVersions {
  readonly #timing: FleetTiming;
  readonly #liveAt = new Map<string, number>();
  #seen: ReadonlyMap<string, number> = new Map();
  #newest = '';
  #mature: string | undefined = undefined;
  revision = 0;

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  /** Time at which each version that counts was first seen. */
  get seen(): ReadonlyMap<string, number> {
    return this.#seen;
  }

  get newestAt(): number {
    return this.#seen.get(this.#newest) ?? 0;
  }

  update(members: Iterable<VersionedMember>, versions: Readonly<Record<string, number>>, now: number): void {
    const mature = new Set<string>();
    for (const { codeVersion, upSince } of members) {
      this.#liveAt.set(codeVersion, now);
      if (upSince !== undefined && now - upSince >= this.#timing.matureMs) mature.add(codeVersion);
    }
    for (const [version, at] of this.#liveAt)
      if (now - at > this.#timing.versionForgetMs) this.#liveAt.delete(version);
    const all = firstSeen(versions);
    const seen = new Map([...this.#liveAt.keys()].map((version) => [version, all.get(version) ?? 0]));
    const newest = latest(seen, [...seen.keys()]) ?? '';
    if (newest !== this.#newest || !isSame(seen, this.#seen)) this.revision++;
    this.#newest = newest;
    this.#seen = seen;
    this.#mature = latest(seen, [...mature]);
  }

  /**
   * Whether members of this version have precedence in elections: it is the newest proven version. A version that
   * crashes at every start must not lead at every start.
   */
  isStanding(version: string): boolean {
    return this.#mature === undefined || this.#mature === version;
  }

  /** Whether a newer version has proved itself, so that a leader of this version hands over. */
  isSucceeded(version: string): boolean {
    const mature = this.#mature;
    return (
      mature !== undefined &&
      mature !== version &&
      (this.#seen.get(mature) ?? 0) > (this.#seen.get(version) ?? 0)
    );
  }
}

function latest(seen: ReadonlyMap<string, number>, versions: readonly string[]): string | undefined {
  let best: string | undefined;
  for (const version of versions) {
    const [at, bestAt] = [seen.get(version) ?? 0, best === undefined ? -1 : (seen.get(best) ?? 0)];
    if (at > bestAt || (at === bestAt && version > (best ?? ''))) best = version;
  }
  return best;
}

function isSame(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([version, at]) => b.get(version) === at);
}
