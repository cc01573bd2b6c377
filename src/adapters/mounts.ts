import type { ResolvedMiddlewareOptions } from './middleware-options.ts';

/** Where the host mounts an app, as far as it says so. */
export interface Mount {
  readonly app: string;
  /** Empty for `/`. */
  readonly path: string;
  readonly options: ResolvedMiddlewareOptions;
}

/** From so many mounts on it is looked whether their apps are there. */
const SWEEP_AT = 64;

/**
 * The mounts of one host, by their paths. Each app has one at each path. What is mounted stays mounted while its app is
 * away, since it may come back; a mount goes once its app is away and its middleware is not in use any more.
 */
export class Mounts {
  readonly #byPath = new Map<string, Map<string, Held>>();
  readonly #isThere: (app: string) => boolean;
  readonly #dropped = new FinalizationRegistry<Held>((held) => this.#remove(held));
  #size = 0;
  #sweepAt = SWEEP_AT;

  /** @param isThere whether there is an app of that name */
  constructor(isThere: (app: string) => boolean) {
    this.#isThere = isThere;
  }

  get size(): number {
    return this.#size;
  }

  /** The middleware keeps the mount. */
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

  /** The mount at the longest of the paths above a path, on segment borders; of several the last one made. */
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

/** A mount, which its middleware keeps alone once it was weakened. */
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
