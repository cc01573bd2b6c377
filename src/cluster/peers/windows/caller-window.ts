/**
 * The caller's side of a window: how many calls this link may have under way at one deployment of a peer. The window is
 * a hint of the host, which decides for each call; a call that the host refuses has certainly not begun. The number of
 * calls that hold a place (reserved, on their way, or at the host) is the caller's to count.
 */
export class CallerWindow {
  #size: number;
  /** Whether the host keeps a turn for this caller. */
  #awaitsTurn = false;

  /** @param size number of calls before the first word of the host */
  constructor(size = 0) {
    this.#size = size;
  }

  /** Number of calls that may be under way, as the host last told. */
  get size(): number {
    return this.#size;
  }

  /** Whether a call of this caller was refused, and has had no turn since. */
  get awaitsTurn(): boolean {
    return this.#awaitsTurn;
  }

  /** Number of further calls that fit. @param underWay calls that hold a place */
  free(underWay: number): number {
    return Math.max(0, this.#size - underWay);
  }

  /** Whether one more call fits. @param underWay calls that hold a place */
  hasRoom(underWay: number): boolean {
    return underWay < this.#size;
  }

  /** A frame `window` came. @returns whether a call fits now that did not fit before */
  told(size: number, underWay: number): boolean {
    const wasFull = !this.hasRoom(underWay);
    this.#size = size;
    return wasFull && this.hasRoom(underWay);
  }

  /** A frame `refused` came: its call waits for a turn. */
  refused(size: number): void {
    this.#size = size;
    this.#awaitsTurn = true;
  }

  /**
   * Called after the waiting calls had their chance. Whether the host must be told, once, that the caller has no call for
   * its turn (a frame `window` of 0 calls): another host was quicker, and the room kept here would stay empty.
   */
  declines(underWay: number): boolean {
    if (!this.#awaitsTurn || !this.hasRoom(underWay)) return false;
    this.#awaitsTurn = false;
    return true;
  }

  /** The link is gone, or accepts no more calls. */
  reset(size = 0): void {
    this.#size = size;
    this.#awaitsTurn = false;
  }
}
