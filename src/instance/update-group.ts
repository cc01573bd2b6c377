import type { ServeError } from '../errors.ts';

/**
 * The deployments of an app that go over to a new version of it together. None gives up its old replicas before all have
 * new ones that proved themselves; if one fails, all go back.
 */
export class UpdateGroup {
  /** Calls to the new version are watched. */
  readonly isWatched: boolean;
  readonly #waiting: Set<string>;
  readonly #onOpen: () => void;
  readonly #onFailed: (error: ServeError) => boolean;

  /**
   * @param members names of the deployments
   * @param onFailed answers whether the app goes back
   */
  constructor(
    members: readonly string[],
    isWatched: boolean,
    onOpen: () => void,
    onFailed: (error: ServeError) => boolean,
  ) {
    this.isWatched = isWatched;
    this.#waiting = new Set(members);
    this.#onOpen = onOpen;
    this.#onFailed = onFailed;
  }

  /** Whether the old replicas may go. */
  get isOpen(): boolean {
    return this.#waiting.size === 0;
  }

  /** A deployment could do without its old replicas. */
  arrived(member: string): void {
    if (this.#waiting.delete(member) && this.isOpen) this.#onOpen();
  }

  /** The new version of a deployment is no good. @returns whether the app goes back to the one before */
  failed(error: ServeError): boolean {
    return this.#onFailed(error);
  }
}
