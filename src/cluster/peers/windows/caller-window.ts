/**
 * The caller's side of a window: how many calls this link may have under way at one deployment of a peer. The window is
 * a hint of the host, which decides for each call; a call that the host refuses has certainly not begun. The number of
 * calls that hold a place (reserved, on their way, or at the host) is the caller's to count.
 */
export class CallerWindow {
  #size: number;
  /** Whether the host has told a window over the link that is open. */
  #isTold = false;
  /** Number of refused calls for which no room has come since. */
  #owed = 0;
  /** Whether the host may keep a turn for this caller. */
  #mayHaveTurn = false;

  /** @param size number of calls before the first word of the host */
  constructor(size = 0) {
    this.#size = size;
  }

  /** Number of calls that may be under way, as the host last told. */
  get size(): number {
    return this.#size;
  }

  /** Whether calls of this caller were refused, and have had no turn since. */
  get awaitsTurn(): boolean {
    return this.#owed > 0;
  }

  /** Number of further calls that fit. @param underWay calls that hold a place */
  free(underWay: number): number {
    return Math.max(0, this.#size - underWay);
  }

  /** Whether one more call fits. @param underWay calls that hold a place */
  hasRoom(underWay: number): boolean {
    return underWay < this.#size;
  }

  /**
   * Number of calls that may be under way without one that waits at the host, as far as is known. One call of the window is
   * beyond the free places, and a turn is for a call that may wait.
   */
  get places(): number {
    if (!this.#isTold) return this.#size;
    return this.#owed > 0 ? 0 : this.#size - 1;
  }

  /** A frame `window` came. @returns whether a call fits now that did not fit before */
  told(size: number, underWay: number): boolean {
    const wasFull = !this.hasRoom(underWay);
    this.#size = size;
    this.#isTold = true;
    // While the host owes turns it tells of no other room.
    if (size - underWay > this.#owed) this.#owed = 0;
    return wasFull && this.hasRoom(underWay);
  }

  /** A call took room of the window. @returns whether it was the last one that waited for its turn */
  taken(): boolean {
    return this.#owed > 0 && --this.#owed === 0;
  }

  /** A frame `refused` came: its call waits for a turn. */
  refused(size: number): void {
    this.#size = size;
    this.#isTold = true;
    this.#owed++;
    this.#mayHaveTurn = true;
  }

  /**
   * Called after the waiting calls had their chance. Whether the host must be told, once, that the caller has no call for
   * its turn (a frame `window` of 0 calls): another host was quicker, and the room kept here would stay empty.
   */
  declines(underWay: number): boolean {
    if (!this.#mayHaveTurn || !this.hasRoom(underWay)) return false;
    this.#mayHaveTurn = false;
    this.#owed = 0;
    return true;
  }

  /** The link is gone, or accepts no more calls. */
  reset(size = 0): void {
    this.#size = size;
    this.#isTold = false;
    this.#owed = 0;
    this.#mayHaveTurn = false;
  }
}
