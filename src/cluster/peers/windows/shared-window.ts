import { CallerWindow } from './caller-window.ts';

/**
 * Time, in ms, after which a window says nothing of the calls of others any more: a host tells a caller without calls no more
 * than that a place is free, however many are.
 */
const OUTDATED_MS = 1_000;

/** A channel that sends calls within a window. */
export interface WindowUser {
  /** Number of its calls that hold a place: reserved, on their way, or at the host. */
  readonly underWay: number;
  /** Whether calls for it wait in other threads, which take room only later. */
  readonly hasWaiting: boolean;
  /** Sends waiting calls: there may be room. */
  sendWaiting(): void;
  /** The window has changed. */
  resized(): void;
  /** Tells the host that no call takes the turn which it keeps. */
  decline(): void;
}

/**
 * The window of one link at an endpoint of a peer. The calls of all its users count: a thread may call a deployment by its name
 * and by that of its app, over a channel each. While several of them want room they take turns, one call each.
 */
export class SharedWindow {
  /** One call may be under way before the peer's first word, so that it opens the link. */
  readonly #window = new CallerWindow(1);
  readonly #users: WindowUser[] = [];
  /** Users that found no room since their last turns, in the order of their next ones. */
  readonly #wanting = new Set<WindowUser>();
  /** The user whose turn it is, and has not sent a call. */
  #turn: WindowUser | undefined = undefined;
  #isGivingTurns = false;
  /** Time of the last window; infinite before the first one over the link that is open. */
  #toldAt = Infinity;
  readonly #now: () => number;

  /** @param now returns the time, in ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  join(user: WindowUser): void {
    this.#users.push(user);
  }

  leave(user: WindowUser): void {
    const index = this.#users.indexOf(user);
    if (index !== -1) this.#users.splice(index, 1);
    this.#wanting.delete(user);
  }

  get isUsed(): boolean {
    return this.#users.length > 0;
  }

  /** Number of calls that may be under way. */
  get size(): number {
    return this.#window.size;
  }

  /** Number of calls that may be under way without one that waits at the host, as far as is known. */
  get places(): number {
    return this.#window.places;
  }

  /** Whether calls were refused, and have had no turn since. */
  get awaitsTurn(): boolean {
    return this.#window.awaitsTurn;
  }

  /** Number of calls that hold a place. */
  get underWay(): number {
    let calls = 0;
    for (let index = 0; index < this.#users.length; index++)
      calls += (this.#users[index] as WindowUser).underWay;
    return calls;
  }

  /** Whether one more call fits. */
  get hasRoom(): boolean {
    return this.#window.hasRoom(this.underWay);
  }

  /** Whether a call of this user would find room. A user that found none has to wait for its turn, if others want one. */
  hasRoomFor(user: WindowUser): boolean {
    return this.hasRoom && (!this.#wanting.has(user) || this.#mayTake(user));
  }

  /** Number of free places: one call of the window is beyond them. */
  get free(): number {
    return this.#window.free(this.underWay + 1);
  }

  /** Whether the window was told long ago, and no call is under way whose answer would come with a new one. */
  get isOutdated(): boolean {
    return this.underWay === 0 && this.#now() - this.#toldAt > OUTDATED_MS;
  }

  /** Takes room for a call. @returns false: there is none, or others want it */
  take(user: WindowUser): boolean {
    if (this.#users.length > 1 ? !this.#claim(user) : !this.hasRoom) return false;
    // Calls may be sent beyond the window again.
    if (this.#window.taken()) this.#resized();
    return true;
  }

  /** The host says how many calls may be under way. */
  told(size: number): void {
    this.#toldAt = this.#now();
    const hasRoom = this.#window.told(size, this.underWay);
    this.#resized();
    if (hasRoom) {
      this.#giveTurns();
      for (const user of [...this.#users]) user.sendWaiting();
    }
    this.#decline();
  }

  /** A call was refused: it waits for a turn. */
  refused(size: number): void {
    this.#toldAt = this.#now();
    this.#window.refused(size);
    this.#resized();
  }

  /** Calls of a user have ended, and those that wait with it had their chance. */
  ended(): void {
    if (this.#wanting.size > 0) this.#giveTurns();
    this.#decline();
  }

  /** The link is gone, or accepts no more calls. */
  reset(size: number): void {
    this.#toldAt = Infinity;
    this.#window.reset(size);
    this.#resized();
  }

  /** Whether a user may send a call; if not, it gets its turn after those that wanted one before. */
  #claim(user: WindowUser): boolean {
    if (!this.#mayTake(user)) {
      this.#wanting.add(user);
      // The calls of others may have gone elsewhere meanwhile.
      if (!this.#isGivingTurns) this.#giveTurns(user);
      if (!this.#mayTake(user)) return false;
    }
    if (this.#turn === user) this.#turn = undefined;
    this.#wanting.delete(user);
    return true;
  }

  /** Whether there is room for a call of the user beside one of each other user that wants a turn, or it is its turn. */
  #mayTake(user: WindowUser): boolean {
    const others = this.#turn === user ? 0 : this.#wanting.size - (this.#wanting.has(user) ? 1 : 0);
    return this.#window.free(this.underWay) > others;
  }

  /** Each user that found no room sends a call, as long as there is room. @param last the user before which to stop */
  #giveTurns(last?: WindowUser): void {
    this.#isGivingTurns = true;
    for (const user of this.#wanting) {
      if (user === last || !this.hasRoom) break;
      // A user that wants more waits for its next turn.
      this.#wanting.delete(user);
      this.#turn = user;
      user.sendWaiting();
    }
    this.#turn = undefined;
    this.#isGivingTurns = false;
  }

  /** Tells the host, once, that no call takes the turn which it keeps for this caller. */
  #decline(): void {
    const users = this.#users;
    if (users.some(({ hasWaiting }) => hasWaiting) || !this.#window.declines(this.underWay)) return;
    users[0]?.decline();
  }

  #resized(): void {
    for (let index = 0; index < this.#users.length; index++) (this.#users[index] as WindowUser).resized();
  }
}
