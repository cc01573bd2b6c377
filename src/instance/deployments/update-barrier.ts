import type { ServeError } from '../../errors.ts';

/**
 * The deployments of an app that change to a new version of it together. None gives up its old replicas before all have
 * new ones that proved themselves; if one fails, all roll back.
 */
export class UpdateBarrier {
  /** Whether calls to the new version are watched. */
  readonly isWatched: boolean;
  readonly #waiting: Set<string>;
  /** Members with requests still running through their old version. */
  readonly #holding = new Set<string>();
  readonly #onChange: () => void;
  readonly #onFailed: (error: ServeError) => boolean;

  /**
   * @param members names of the deployments
   * @param onChange is called when the new version is ready, or the barrier is open
   * @param onFailed returns whether the app rolls back
   */
  constructor(
    members: readonly string[],
    isWatched: boolean,
    onChange: () => void,
    onFailed: (error: ServeError) => boolean,
  ) {
    this.isWatched = isWatched;
    this.#waiting = new Set(members);
    this.#onChange = onChange;
    this.#onFailed = onFailed;
  }

  /** Whether the new version can serve: requests may be routed through it. */
  get isReady(): boolean {
    return this.#waiting.size === 0;
  }

  /** Whether the old replicas may stop. */
  get isOpen(): boolean {
    return this.isReady && this.#holding.size === 0;
  }

  /** A deployment no longer depends on its old replicas. */
  arrived(member: string): void {
    if (this.#waiting.delete(member) && this.isReady) this.#onChange();
  }

  /** Requests still run through the old version of the deployment, and need old replicas of the others. */
  hold(member: string): void {
    this.#holding.add(member);
  }

  /** These requests have ended. */
  release(member: string): void {
    if (this.#holding.delete(member) && this.isOpen) this.#onChange();
  }

  /** The new version of a deployment is rejected. @returns whether the app rolls back */
  failed(error: ServeError): boolean {
    return this.#onFailed(error);
  }
}
