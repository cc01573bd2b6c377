import type { ServeError } from '../../errors.ts';

/**
 * The deployments of an app that go over to a new version of it together. None gives up its old replicas before all have
 * new ones that proved themselves; if one fails, all go back.
 */
export class UpdateBarrier {
  /** Calls to the new version are watched. */
  readonly isWatched: boolean;
  readonly #waiting: Set<string>;
  /** Members whose callers are still on their way through the old version. */
  readonly #holding = new Set<string>();
  readonly #onChange: () => void;
  readonly #onFailed: (error: ServeError) => boolean;

  /**
   * @param members names of the deployments
   * @param onChange it is ready, or open
   * @param onFailed answers whether the app goes back
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

  /** Whether the new version can serve: what routes requests through it may begin to. */
  get isReady(): boolean {
    return this.#waiting.size === 0;
  }

  /** Whether the old replicas may go. */
  get isOpen(): boolean {
    return this.isReady && this.#holding.size === 0;
  }

  /** A deployment could do without its old replicas. */
  arrived(member: string): void {
    if (this.#waiting.delete(member) && this.isReady) this.#onChange();
  }

  /** Requests run through the old version that need old replicas of the others. */
  hold(member: string): void {
    this.#holding.add(member);
  }

  /** They are over. */
  release(member: string): void {
    if (this.#holding.delete(member) && this.isOpen) this.#onChange();
  }

  /** The new version of a deployment is no good. @returns whether the app goes back to the one before */
  failed(error: ServeError): boolean {
    return this.#onFailed(error);
  }
}
