import { now, time } from './clock.ts';
import { inRootContext } from './root-context.ts';

/** A loop that has been held for this long, in ms, turns before the next call begins on it. */
export const HOLD_MS = 1;

/**
 * A message is posted when it holds this many frames, so that the other thread starts while this one still sends: with 64
 * calls in flight 1,014 k calls/s at 16 per message, 552 k when each turn posts one message (8: 847 k, 32: 678 k).
 */
export const MAX_FRAMES = 16;

/**
 * Shares of a message that frames take. A chunk of a stream takes a quarter of what others take: its producer goes on without
 * an answer, so four times as many chunks per message cost less and delay nothing (`docs/decisions/006-batches.md`).
 */
export const CHUNK_SHARE = 1;
export const FRAME_SHARE = 4;
/** Shares at which a message is posted. */
export const FULL_MESSAGE: number = MAX_FRAMES * FRAME_SHARE;

/** The longest time, in ms, for which waiting work lets calls that are on their way to this thread begin first. */
const HANDOVER_MS = 1;

/** Collects frames that are posted once per turn. */
export interface Collector {
  flush(): void;
}

/** Begins the calls of this thread. */
export interface CallStarter {
  /** Whether a call waits to begin. */
  readonly hasNext: boolean;
  /** Whether a caller is about to send a call to this thread. */
  readonly isExpectingCall: boolean;
  /** Called when the loop has turned. @param heldSince when the work of the last turn began; 0 = no work was noticed */
  turned(at: number, heldSince: number): void;
  /** Begins the next call. */
  beginNext(at: number): void;
  /** Called before a generator that yielded the loop continues. */
  resuming(at: number): void;
}

/**
 * The turns of this thread's event loop: how long it has been held, and the work that is done between two turns.
 *
 * Only `setImmediate` lets the loop turn (1.7 µs): Node drains ports, microtasks and `nextTick` without polling for anything
 * else. One immediate serves everything that happens at a turn: collected frames are posted, and the next call begins or one
 * generator that yielded the loop continues.
 */
export class EventLoop {
  /** The number of answers at which a message is posted. */
  maxAnswers: number = MAX_FRAMES;
  /** Whether frames are posted at once instead of once per turn, because code on this thread holds the loop. */
  postsAtOnce = false;
  #isScheduled = false;
  /** A turn has begun, and nothing of a call runs in it yet: the detour through the root context (0.3 µs) is not needed. */
  #isInRootContext = false;
  #heldSince = 0;
  #collectors: Collector[] = [];
  #starter: CallStarter | undefined = undefined;
  readonly #waiting: Array<() => void> = [];
  /** Calls begun while generators waited to continue, minus the generators that continued. */
  #begunBefore = 0;
  /** When the wait for calls on their way began; 0 = no wait. */
  #expectingSince = 0;

  /** Registers the replica of this thread, whose calls begin at turns. */
  serve(starter: CallStarter): void {
    this.#starter = starter;
  }

  /** Requests a turn of the loop. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (this.#isInRootContext) this.#awaitTurn();
    else inRootContext(this.#awaitTurn);
  }

  /** Requests that the collector is flushed at the end of this turn. */
  collect(collector: Collector): void {
    this.#collectors.push(collector);
    this.schedule();
  }

  /** Posts all collected frames now, because the loop may be held for long. */
  flush(): void {
    if (this.#collectors.length === 0) return;
    const collectors = this.#collectors;
    this.#collectors = [];
    for (const collector of collectors) collector.flush();
  }

  /** Notes that work begins. @returns whether it is the first work of this turn */
  enter(at: number): boolean {
    this.schedule();
    if (this.#heldSince !== 0) return false;
    this.#heldSince = at;
    return true;
  }

  /** Whether the loop has been held long enough that it should turn. */
  isHeld(at: number): boolean {
    return this.#heldSince !== 0 && at - this.#heldSince >= HOLD_MS;
  }

  /**
   * Lets the loop turn if it has been held for a while, so that other calls, cancellations and health checks get through.
   * @returns undefined if the loop has not been held, so that there is nothing to await
   */
  yield(): Promise<void> | undefined {
    const at = now();
    if (this.enter(at) || !this.isHeld(at)) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Schedules the turn, which serves all calls of this thread and therefore runs in the async context of no call. */
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
    this.#isInRootContext = true;
    starter.turned(at, heldSince);
    this.#isInRootContext = false;
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

  /** Continues one generator only, because it may hold the loop for an unknown time. */
  #resume(at: number): void {
    this.enter(at);
    this.#begunBefore = Math.max(0, this.#begunBefore - 1);
    this.#waiting.shift()?.();
  }

  /**
   * Whether generators wait until a call that is on its way has begun, so that each of several streams that compute sends its
   * first value before the others continue. A wait in vain is not repeated before the call has come or is no longer expected:
   * on a busy machine the caller may need long to send it, and one wait per generator kept the thread busy with nothing.
   */
  #waitsForCall(starter: CallStarter, at: number): boolean {
    if (starter.hasNext || !starter.isExpectingCall) {
      this.#expectingSince = 0;
      return false;
    }
    if (this.#expectingSince === 0) this.#expectingSince = at;
    if (at - this.#expectingSince >= HANDOVER_MS) return false;
    this.schedule();
    return true;
  }
}

/** The event loop of this thread. */
export const loop: EventLoop = new EventLoop();
