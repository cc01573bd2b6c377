/** Number of unsent bytes above which no further call is sent over a link: 8 MiB. */
export const MAX_UNSENT_BYTES = 8_388_608;

/**
 * The caller's side of a window: how many calls this link may have under way at one deployment of a peer. The window is
 * a hint of the host, which decides for each call; a call that the host refuses has certainly not begun.
 */
export class CallerWindow {
  #inFlight = 0;
  #size = 0;
  /** Whether the host keeps a turn for this caller. */
  #awaitsTurn = false;

  /** Number of calls that hold a place: reserved, on their way, or at the host. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Number of calls that may be under way, as the host last told; 0 before its first word. */
  get size(): number {
    return this.#size;
  }

  get free(): number {
    return Math.max(0, this.#size - this.#inFlight);
  }

  /** Whether one more call fits. @param unsent number of unsent bytes of the link */
  hasRoom(unsent: number): boolean {
    return this.#inFlight < this.#size && unsent <= MAX_UNSENT_BYTES;
  }

  /** Takes a place for one call; false if none is free. @param unsent number of unsent bytes of the link */
  reserve(unsent: number): boolean {
    if (!this.hasRoom(unsent)) return false;
    this.#inFlight++;
    return true;
  }

  /** Takes a place whatever the window says: for broadcasts. */
  reserveBeyondLimit(): void {
    this.#inFlight++;
  }

  /** A call gave its place back: the call was answered, moved, or not sent at all. */
  ended(): void {
    if (this.#inFlight > 0) this.#inFlight--;
  }

  /** A frame `window` came. @returns whether a call fits now that did not fit before */
  told(size: number): boolean {
    const wasFull = this.free === 0;
    this.#size = size;
    return wasFull && this.free > 0;
  }

  /** A frame `refused` came: its call gave its place back, and waits for a turn. */
  refused(size: number): void {
    this.ended();
    this.#size = size;
    this.#awaitsTurn = true;
  }

  /**
   * Called after the waiting calls had their chance. Whether the host must be told, once, that the caller has no call for
   * its turn (a frame `window` of 0 calls): another host was quicker, and the room kept here would stay empty.
   */
  declines(): boolean {
    if (!this.#awaitsTurn || this.free === 0) return false;
    this.#awaitsTurn = false;
    return true;
  }

  /** The link is gone, and all its calls with it. */
  reset(): void {
    this.#inFlight = 0;
    this.#size = 0;
    this.#awaitsTurn = false;
  }
}
