import type { ResolvedMiddlewareOptions } from './middleware-options.ts';

/** A path at which the host says that it mounts an app. */
export interface Mount {
  readonly app: string;
  /** The path; empty for `/`. */
  readonly path: string;
  readonly options: ResolvedMiddlewareOptions;
}

/** The number of mounts at which those of missing apps are first searched for. */
const SWEEP_AT = 64;

/**
 * The mounts of one host by path. Each app has at most one mount at a path. A mount stays while its app is missing, since the
 * app may come back; it is removed once its app is missing and its middleware is no longer in use.
 */
export class Mounts {
  readonly #byPath = new Map<string, Map<string, Held>>();
  readonly #isThere: (app: string) => boolean;
  readonly #dropped = new FinalizationRegistry<Held>((held) => this.#remove(held));
  #size = 0;
  #sweepAt = SWEEP_AT;

  /** @param isThere returns whether there is an app of that name */
  constructor(isThere: (app: string) => boolean) {
    this.#isThere = isThere;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a mount. The middleware must keep a reference to it. */
  add(mount: Mount): Mount {
    const { app, path } = mount;
    const known = this.#byPath.get(path)?.get(app);
    if (known !== undefined) this.#remove(known);
    if (this.#size >= this.#sweepAt) this.#sweep();
    const mounts = this.#byPath.get(path) ?? new Map<string, Held>();
    this.#byPath.set(path, mounts);
    mounts.set(app, new Held(mount));
    this.#size++;
    return mount;
  }

  /** The mount at the longest path that contains the given path; if there are several at that path, the newest. */
  above(path: string): Mount | undefined {
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const mount = [...(this.#byPath.get(at)?.values() ?? [])].at(-1)?.mount;
      if (mount !== undefined || !at.includes('/')) return mount;
    }
  }

  has(app: string): boolean {
    return [...this.#byPath.values()].some((mounts) => mounts.get(app)?.mount !== undefined);
  }

  #sweep(): void {
    for (const mounts of this.#byPath.values())
      for (const held of mounts.values()) if (!this.#isThere(held.app)) held.weaken(this.#dropped);
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#size);
  }

  #remove(held: Held): void {
    const mounts = this.#byPath.get(held.path);
    if (mounts?.get(held.app) !== held) return;
    mounts.delete(held.app);
    this.#size--;
    if (mounts.size === 0) this.#byPath.delete(held.path);
  }
}

/** A reference to a mount. After `weaken` only its middleware keeps the mount alive. */
class Held {
  readonly app: string;
  readonly path: string;
  readonly #ref: WeakRef<Mount>;
  #strong: Mount | undefined;

  constructor(mount: Mount) {
    this.app = mount.app;
    this.path = mount.path;
    this.#ref = new WeakRef(mount);
    this.#strong = mount;
  }

  get mount(): Mount | undefined {
    return this.#ref.deref();
  }

  weaken(dropped: FinalizationRegistry<Held>): void {
    if (this.#strong === undefined) return;
    dropped.register(this.#strong, this);
    this.#strong = undefined;
  }
}
