import type { ThreadTime, Timer } from '../../../time/clock.ts';
import { HostCaller } from './host-caller.ts';
import { Pace } from './pace.ts';

/** The places of one deployment at its host, over all callers. */
export interface HostPlaces {
  /** Number of calls that the replicas run at a time. */
  readonly places: number;
  /** Number of free places for which no call waits. */
  readonly free: number;
}

/** Time and timers of the windows. */
export type WindowTime = Pick<ThreadTime, 'now' | 'after' | 'cancel'>;

/** Number of calls of peers that may wait at the host, per place: about as many as a round trip needs. */
const LANDING_SHARE = 0.5;
/** A caller that may send this many more calls need not know exactly how many: a window is a hint. */
const AMPLE = 4;
/** Share by which an ample window may differ from the one that the caller knows. A frame costs a call's worth of time. */
const AMPLE_CHANGE = 0.25;
/** Time, in ms, for which room is kept for a caller, beside two round trips. */
const KEEP_MS = 5;
/**
 * Time, in ms, after which a caller that knows of no free place is told of one that is still free, and between two such
 * callers: most places are taken again at once, and callers that are told together compete for them.
 */
const NEWS_MS = 20;
/** Time, in ms, after which long calls hold all places if no call of a peer has begun meanwhile, although some wait here. */
const HELD_MS = 250;

/**
 * The host's side of the windows of one deployment. Callers send within their windows, which are over-committed hints;
 * the host decides for each call that arrives, and reserves places at its replicas as for any other call. A few admitted
 * calls may wait at the host: they land. The other calls are refused, and wait at their callers.
 *
 * The window of a caller is the number of its calls here, plus the free places, plus the calls that end here during a
 * round trip, at least one: by that call the host learns that the caller has more. Once a call is refused, its caller
 * waits for a turn. Room that comes free is granted to the first waiting caller and kept for it, and no other caller may
 * send more meanwhile. So a refused caller never has to ask again, and is served however many calls the others send.
 *
 * A caller whose window says that no place is free sends its calls elsewhere while it can. So it is told of a place that
 * comes free, unless the place is taken again at once.
 *
 * While long calls hold all places nothing lands, and what has landed goes back: it may find a place at another instance
 * long before one comes free here.
 */
export class HostWindows {
  readonly #places: HostPlaces;
  readonly #time: WindowTime;
  readonly #onAwaited: () => void;
  readonly #onHeld: () => void;
  readonly #pace: Pace;
  /** Callers with refused calls, in the order of their turns. */
  readonly #turns = new Set<HostCaller>();
  /** Callers for which room is kept, in the order of the grants. */
  readonly #granted = new Set<HostCaller>();
  /** Callers that know that they may send no further call. */
  readonly #full = new Set<HostCaller>();
  /** Callers that knew of no free place when they were told their windows, or sent their last calls. */
  readonly #uninformed = new Set<HostCaller>();
  /** Runs while a place that came free is not told yet. */
  #news: Timer | undefined = undefined;
  /** Calls of peers that wait here for a place. */
  #landed = 0;
  /** Room that is kept for callers, in calls. */
  #kept = 0;
  #timer: Timer | undefined = undefined;
  /** Set while calls wait here; then the places are looked at. */
  #heldTimer: Timer | undefined = undefined;
  /** Whether a call has begun since the timer was set. */
  #hasBegun = false;
  /** Whether long calls hold all places. */
  #isHeld = false;
  /** Time at which a call last began while they did. */
  #begunAt = 0;

  /**
   * @param onAwaited `isAwaited` became true
   * @param onHeld the calls that wait here must be given back
   */
  constructor(
    places: HostPlaces,
    time: WindowTime,
    onAwaited: () => void = () => {},
    onHeld: () => void = () => {},
  ) {
    this.#places = places;
    this.#time = time;
    this.#onAwaited = onAwaited;
    this.#onHeld = onHeld;
    this.#pace = new Pace(time.now());
  }

  /** Whether callers wait for room: `freed` must then be called for each place that comes free, whoever frees it. */
  get isAwaited(): boolean {
    if (this.#turns.size > 0 || this.#full.size > 0) return true;
    return this.#uninformed.size > 0 && this.#news === undefined;
  }

  /** Number of calls of peers that wait here for a place. */
  get landed(): number {
    return this.#landed;
  }

  /**
   * Adds a caller, and tells it its first window.
   * @param tell sends a frame `window`
   * @param rttMs returns the round trip of the link, in ms
   */
  join(tell: (window: number) => void, rttMs: () => number): HostCaller {
    const caller = new HostCaller(tell, rttMs);
    this.#tell(caller);
    return caller;
  }

  /** Removes a caller whose link is gone. Its calls must have ended. */
  leave(caller: HostCaller): void {
    this.#full.delete(caller);
    this.#uninformed.delete(caller);
    this.declined(caller);
  }

  /**
   * Decides about a call that arrived. An admitted call counts as landed until `begun`.
   * @returns false: the call is refused, with the window `refusedWith`
   */
  admit(caller: HostCaller): boolean {
    const { free } = this.#places;
    if (free + this.#landing + caller.granted <= 0) {
      if (caller.late === 0) {
        caller.refused++;
        this.#await(this.#turns, caller);
        return false;
      }
      // A large call takes longer than its turn, and would be sent again and again.
      caller.late--;
    }
    if (caller.granted > 0) this.#release(caller, 1);
    this.#landed++;
    caller.inFlight++;
    if (caller.isUninformed) this.#await(this.#uninformed, caller);
    if (free <= 0) this.#watchHeld();
    return true;
  }

  /** Returns the window for a refusal. */
  refusedWith(caller: HostCaller): number {
    return this.#toTell(caller);
  }

  /** An admitted call was sent to a replica. */
  begun(caller: HostCaller): void {
    this.#landed--;
    this.#hasBegun = true;
    if (this.#isHeld) this.#begunWhileHeld();
    // A caller that was told little while the host was full would not learn of free places before its next answer.
    if (caller.isFull && this.#places.free > this.#kept) this.#tell(caller);
  }

  /** A call that was sent to a replica waits here again. */
  takenBack(): void {
    this.#landed++;
  }

  /** An admitted call ended. @param hasBegun false: the call still waited here */
  ended(caller: HostCaller, hasBegun: boolean): void {
    caller.inFlight--;
    this.#pace.count();
    if (!hasBegun) this.#landed--;
  }

  /** A call goes back to its caller for good, which then sends no other one until it is told a window. */
  givenBack(caller: HostCaller): void {
    caller.told = 0;
    this.#await(this.#full, caller);
  }

  /**
   * Returns the window to send in front of answers, which let the caller send as many calls as before; undefined if the
   * caller knows it, or one near enough.
   */
  changed(caller: HostCaller): number | undefined {
    const window = this.#windowOf(caller);
    const { told, inFlight } = caller;
    const isAmple = Math.min(window, told) >= inFlight + AMPLE;
    const isKnown = Math.abs(window - told) <= (isAmple ? told * AMPLE_CHANGE : 0);
    if (!isKnown) return this.#toTell(caller);
    // While others have turns its window stays as it is: it is told of the places that come free after them.
    if (caller.isFull) this.#await(this.#full, caller);
    return undefined;
  }

  /** A caller has no call for the room that is kept for it. */
  declined(caller: HostCaller): void {
    this.#endTurns(caller);
    this.freed();
  }

  /** Places may have come free, and landed calls have taken theirs: gives turns, and tells the callers that may send. */
  freed(): void {
    this.#pace.measure(this.#time.now());
    this.#giveTurns();
    for (const caller of this.#full) if (this.#windowOf(caller) > caller.inFlight) this.#tell(caller);
    this.#informSoon();
  }

  /** No caller is told anything any more. */
  close(): void {
    for (const timer of [this.#timer, this.#news, this.#heldTimer]) this.#time.cancel(timer);
    this.#timer = undefined;
    this.#news = undefined;
    this.#heldTimer = undefined;
    for (const callers of [this.#turns, this.#granted, this.#full, this.#uninformed]) callers.clear();
  }

  /** Number of calls that may wait here, beyond those that do and those for which room is kept. */
  get #landing(): number {
    const most = this.#isHeld ? 0 : Math.max(1, Math.floor(this.#places.places * LANDING_SHARE));
    return most - this.#landed - this.#kept;
  }

  /** Number of calls that may come, beyond those that are here and those for which room is kept. */
  get #room(): number {
    return this.#places.free + this.#landing;
  }

  #windowOf(caller: HostCaller): number {
    const own = caller.inFlight + caller.granted;
    // Another caller goes first.
    if (this.#turns.size > 0 || (this.#kept > 0 && this.#room <= 0)) return own;
    const onTheWay = Math.ceil(this.#pace.perMs * caller.rttMs());
    return own + Math.max(0, this.#places.free - this.#kept) + Math.max(1, Math.min(onTheWay, this.#landing));
  }

  #tell(caller: HostCaller): void {
    caller.tell(this.#toTell(caller));
  }

  #toTell(caller: HostCaller): number {
    caller.told = this.#windowOf(caller);
    if (caller.isFull) this.#await(this.#full, caller);
    else this.#full.delete(caller);
    if (caller.isUninformed) this.#await(this.#uninformed, caller);
    return caller.told;
  }

  /** Whether a place is free for which neither a call waits nor a caller has a turn. */
  get #hasPlace(): boolean {
    return this.#turns.size === 0 && this.#places.free > this.#kept;
  }

  /** Callers that know of no free place are told of one after a while, one caller per place at a time. */
  #informSoon(): void {
    if (this.#uninformed.size === 0 || this.#news !== undefined || !this.#hasPlace) return;
    this.#news = this.#time.after(NEWS_MS, () => this.#inform());
    this.#news.unref();
  }

  #inform(): void {
    this.#news = undefined;
    let places = this.#hasPlace ? this.#places.free - this.#kept : 0;
    for (const caller of this.#uninformed) {
      if (caller.isUninformed && places > 0) {
        places--;
        this.#tell(caller);
      }
      if (!caller.isUninformed) this.#uninformed.delete(caller);
    }
    this.#informSoon();
    if (this.isAwaited) this.#onAwaited();
  }

  #await(waiting: Set<HostCaller>, caller: HostCaller): void {
    if (waiting.has(caller)) return;
    const wasAwaited = this.isAwaited;
    waiting.add(caller);
    if (!wasAwaited && this.isAwaited) this.#onAwaited();
  }

  #giveTurns(): void {
    for (const caller of this.#turns) {
      if (this.#room <= 0) return;
      this.#turns.delete(caller);
      this.#keep(caller);
      // The caller's next call waits behind the callers that wait already.
      if (--caller.refused > 0) this.#turns.add(caller);
      this.#tell(caller);
    }
  }

  #keep(caller: HostCaller): void {
    caller.granted++;
    this.#kept++;
    caller.keptUntil = this.#time.now() + 2 * caller.rttMs() + KEEP_MS;
    this.#granted.delete(caller);
    this.#granted.add(caller);
    this.#setTimer();
  }

  #release(caller: HostCaller, calls: number): void {
    caller.granted -= calls;
    this.#kept -= calls;
    if (caller.granted === 0) this.#granted.delete(caller);
  }

  #endTurns(caller: HostCaller): void {
    this.#release(caller, caller.granted);
    this.#turns.delete(caller);
    caller.refused = 0;
    caller.late = 0;
  }

  #setTimer(): void {
    const [first] = this.#granted;
    if (this.#timer !== undefined || first === undefined) return;
    this.#timer = this.#time.after(Math.max(0, first.keptUntil - this.#time.now()), () => this.#expire());
    this.#timer.unref();
  }

  /** Ends the turns of callers that did not use the room kept for them. */
  #expire(): void {
    this.#timer = undefined;
    const now = this.#time.now();
    for (const caller of this.#granted) {
      if (caller.keptUntil > now) continue;
      const { granted } = caller;
      this.#endTurns(caller);
      caller.late = granted;
    }
    this.#setTimer();
    this.freed();
  }

  #watchHeld(): void {
    if (this.#heldTimer !== undefined) return;
    this.#hasBegun = false;
    this.#heldTimer = this.#time.after(HELD_MS, () => this.#look());
    this.#heldTimer.unref();
  }

  /** Gives the waiting calls back if none has begun since calls wait. */
  #look(): void {
    this.#heldTimer = undefined;
    if (this.#landed === 0) return;
    if (this.#hasBegun || this.#places.free > 0) {
      this.#watchHeld();
      return;
    }
    this.#isHeld = true;
    this.#begunAt = -Infinity;
    this.#onHeld();
  }

  /** Places come free more often again once two calls have begun within a short time. */
  #begunWhileHeld(): void {
    const now = this.#time.now();
    this.#isHeld = now - this.#begunAt > HELD_MS;
    this.#begunAt = now;
  }
}
