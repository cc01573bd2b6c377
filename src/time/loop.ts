import { now, time } from './clock.ts';
import { inRootContext } from './root-context.ts';

/** A loop that has been held for so long, in ms, turns before anything else is begun on it. */
export const HOLD_MS = 1;

/**
 * A message is posted when it holds so many frames, so that the other thread starts while this one still sends: with 64
 * calls in flight 1,014 k calls/s at 16 per message against 552 k when each turn posts one message (8: 847 k, 32: 678 k).
 */
export const MAX_FRAMES = 16;

/** What waits for a turn lets calls that are on their way to this thread begin first, for so long, in ms. */
const HANDOVER_MS = 1;

/** Collects what is posted once per turn. */
export interface Collector {
  flush(): void;
}

/** What begins calls on this thread. */
export interface CallStarter {
  /** A call waits to begin. */
  readonly hasNext: boolean;
  /** A caller is about to send a call here. */
  readonly isExpectingCall: boolean;
  /** The loop has turned. @param heldSince when the work of the last turn began; 0 = none was noticed */
  turned(at: number, heldSince: number): void;
  /** Begins the next call. */
  beginNext(at: number): void;
  /** Something that gave the loop up goes on. */
  resuming(at: number): void;
}

/**
 * The turns of this thread's event loop: since when it has been held, and what happens between two turns.
 *
 * Only `setImmediate` lets the loop turn (1.7 µs): Node drains ports, microtasks and `nextTick` without polling for
 * anything else. One immediate serves all that happens at a turn: collected frames are posted, the next call begins, or
 * one generator that gave the loop up goes on.
 */
export class EventLoop {
  /** A message is posted when it holds so many answers. */
  maxAnswers: number = MAX_FRAMES;
  /** Frames are posted at once instead of once per turn: code on this thread holds the loop. */
  postsAtOnce = false;
  #isScheduled = false;
  #heldSince = 0;
  #collectors: Collector[] = [];
  #starter: CallStarter | undefined = undefined;
  readonly #waiting: Array<() => void> = [];
  /** Calls begun while others waited to go on, less those that went on. */
  #begunBefore = 0;
  /** When the wait for calls on their way began; 0 = there is none. */
  #expectingSince = 0;

  /** The replica of this thread begins its calls at turns. */
  serve(starter: CallStarter): void {
    this.#starter = starter;
  }

  /** Something is to be done when the loop has turned. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    inRootContext(this.#awaitTurn);
  }

  /** Something is to be posted at the end of this turn. */
  collect(collector: Collector): void {
    this.#collectors.push(collector);
    this.schedule();
  }

  /** Posts what was collected, now: the loop may be held for long. */
  flush(): void {
    if (this.#collectors.length === 0) return;
    const collectors = this.#collectors;
    this.#collectors = [];
    for (const collector of collectors) collector.flush();
  }

  /** Work begins. @returns whether it is the first of this turn */
  enter(at: number): boolean {
    this.schedule();
    if (this.#heldSince !== 0) return false;
    this.#heldSince = at;
    return true;
  }

  /** Whether the loop has been held for so long that it should turn. */
  isHeld(at: number): boolean {
    return this.#heldSince !== 0 && at - this.#heldSince >= HOLD_MS;
  }

  /**
   * Lets the loop turn if it has been held for a while, so that other calls, cancellations and health checks get through.
   * @returns undefined if it has not been held: there is nothing to await
   */
  yield(): Promise<void> | undefined {
    const at = now();
    if (this.enter(at) || !this.isHeld(at)) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A turn is for all calls of this thread: it has the async context of none. */
  readonly #awaitTurn = (): unknown => time.soon(this.#turn);

  readonly #turn = (): void => {
    this.#isScheduled = false;
    this.flush();
    const heldSince = this.#heldSince;
    this.#heldSince = 0;
    const starter = this.#starter;
    if (starter === undefined) {
      if (this.#waiting.length > 0) this.#resume(now());
      return;
    }
    const at = now();
    starter.turned(at, heldSince);
    const waiting = this.#waiting.length;
    if (starter.hasNext && (waiting === 0 || this.#begunBefore < waiting)) {
      this.#expectingSince = 0;
      this.#begunBefore = waiting === 0 ? 0 : this.#begunBefore + 1;
      this.enter(at);
      starter.beginNext(at);
    } else if (waiting > 0) {
      if (this.#waitsForCall(starter, at)) return;
      starter.resuming(at);
      this.#resume(at);
    }
  };

  /** One at a time: each holds the loop for it is not known how long. */
  #resume(at: number): void {
    this.enter(at);
    this.#begunBefore = Math.max(0, this.#begunBefore - 1);
    this.#waiting.shift()?.();
  }

  /** Four streams that compute get their first values one after the other, not each after a round of the others. */
  #waitsForCall(starter: CallStarter, at: number): boolean {
    if (starter.hasNext || !starter.isExpectingCall) {
      this.#expectingSince = 0;
      return false;
    }
    if (this.#expectingSince === 0) this.#expectingSince = at;
    if (at - this.#expectingSince >= HANDOVER_MS) {
      this.#expectingSince = 0;
      return false;
    }
    this.schedule();
    return true;
  }
}

/** The event loop of this thread. */
export const loop: EventLoop = new EventLoop();
