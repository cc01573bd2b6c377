/**
 * One link of a peer, as the windows of one deployment see it. Only `HostWindows` changes these fields. The host's link
 * and the fleet thread's link of one instance are callers of their own.
 */
export class HostCaller {
  /** Calls of the caller that are here: they wait or run. */
  inFlight = 0;
  /** The window that the caller was last told. */
  told = 0;
  /** Room that is kept for the caller, in calls. */
  granted = 0;
  /** Time until which the room is kept. */
  keptUntil = 0;
  /** Calls that may be on their way although the room that was kept for them went to others: they need no room. */
  late = 0;
  /** Refused calls that had no turn since. */
  refused = 0;
  /** Sends a frame `window`. */
  readonly tell: (window: number) => void;
  /** Round trip of the link, in ms. */
  readonly rttMs: () => number;

  constructor(tell: (window: number) => void, rttMs: () => number) {
    this.tell = tell;
    this.rttMs = rttMs;
  }

  /** Whether the caller knows that it may send no further call. */
  get isFull(): boolean {
    return this.inFlight >= this.told;
  }

  /** Whether the caller knows of no free place: one call of its window is beyond the free places. */
  get isUninformed(): boolean {
    return this.inFlight + 1 >= this.told;
  }
}
