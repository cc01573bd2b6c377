import { type Declaration, DOCUMENT_FORMAT, type MemberRecord, type MemberState } from '../documents.ts';
import { type DeclaredPlace, placesOf, versionKey } from './declaration.ts';
import type { LocalLoads } from './events.ts';

/** The properties of an instance that are constant in its life. */
export type InstanceIdentity = Omit<MemberRecord, 'format' | 'declaration' | 'state' | 'codeVersion'>;

/** A report of the host that is older than this, in ms, may be wrong about replicas that were starting. */
const STALE_MS = 1_000;

/** The instance that a node represents. */
export class LocalInstance {
  readonly id: string;
  /** Names this life of the instance as the holder of a lease. */
  readonly owner: string;
  readonly #identity: InstanceIdentity;
  #epoch: number;
  #declaration: Declaration;
  #hash: string;
  #places: ReadonlyMap<string, DeclaredPlace>;
  state: MemberState = 'joining';
  loads: LocalLoads = {};
  hostLagMs = 0;
  /** Apps with an earlier version; undefined before the host's first report. */
  revertible: readonly string[] | undefined = undefined;
  /** Time of the host's last report. */
  reportedAt: number = -Infinity;
  upSince: number | undefined = undefined;

  constructor(identity: InstanceIdentity, hash: string, declaration: Declaration) {
    this.id = identity.id;
    this.owner = `${identity.id}#${identity.epoch}`;
    this.#identity = identity;
    this.#epoch = identity.epoch;
    this.#hash = hash;
    this.#declaration = declaration;
    this.#places = placesOf(declaration);
  }

  get declaration(): Declaration {
    return this.#declaration;
  }

  get places(): ReadonlyMap<string, DeclaredPlace> {
    return this.#places;
  }

  get version(): string {
    return versionKey(this.#declaration.codeVersion, this.#hash);
  }

  get record(): MemberRecord {
    return {
      ...this.#identity,
      format: DOCUMENT_FORMAT,
      epoch: this.#epoch,
      codeVersion: this.#declaration.codeVersion,
      declaration: this.#hash,
      state: this.state,
    };
  }

  /** The store has lost the instance, which rejoins as a new life. */
  renew(): void {
    this.#epoch++;
  }

  declare(hash: string, declaration: Declaration): void {
    this.#hash = hash;
    this.#declaration = declaration;
    this.#places = placesOf(declaration);
  }

  /** @returns whether the state changed */
  report(loads: LocalLoads, hostLagMs: number, isReady: boolean, now: number): boolean {
    this.loads = loads;
    this.hostLagMs = hostLagMs;
    this.reportedAt = now;
    if (this.state !== 'joining' || !isReady) return false;
    this.state = 'up';
    this.upSince = now;
    return true;
  }

  /** Number of replicas of a deployment that run, or may have started since the last report of a blocked host. */
  mayRun(deployment: string, target: number, now: number): number {
    const { running = 0, starting = 0 } = this.loads[deployment] ?? {};
    return now - this.reportedAt > STALE_MS ? Math.max(target, running + starting) : running;
  }

  get running(): Record<string, number> {
    const running = Object.entries(this.loads).flatMap(([key, load]) =>
      load.running > 0 ? [[key, load.running]] : [],
    );
    return Object.fromEntries(running);
  }
}

/** Returns the instance of a lease's owner. */
export function instanceOf(owner: string): string {
  return owner.slice(0, owner.lastIndexOf('#'));
}
