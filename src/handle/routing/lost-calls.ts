import type { CallChannel } from '../../channel/call-channel.ts';
import { methodLabel } from '../../channel/method-names.ts';
import { now } from '../../time/clock.ts';
import { within } from '../../time/timeout.ts';

/** Maximum number of calls that are named per replica. */
const MOST_LOST_CALLS = 10;

/**
 * Time that the report of a death waits for caller threads to name their calls, in ms: a thread that computes does not
 * answer.
 */
const ANSWER_LIMIT_MS = 100;

/** A call that ran in a replica when the replica died. */
export interface LostCall {
  /** Method of the deployment; `http` or `websocket` for a request that came from outside. */
  readonly method: string;
  readonly requestId: string;
  /** Time at which the call was sent to the replica, as a timestamp like `Date.now()`. */
  readonly since: number;
}

/** @internal The calls of this thread that a replica has begun and not answered, as recorded by their channel. */
export function lostCalls(channel: CallChannel): LostCall[] {
  const lost: LostCall[] = [];
  const epoch = Date.now() - now();
  for (const { method, requestId, sentAt } of channel.running()) {
    if (lost.length === MOST_LOST_CALLS) break;
    lost.push({ method: methodLabel(method), requestId, since: Math.round(epoch + sentAt) });
  }
  return lost;
}

/** @internal Collects from all caller threads which calls ran in a replica that died. */
export class LostCalls {
  /** For each caller, the number of keys under which it has not answered yet. */
  readonly #outstanding = new Map<object, number>();
  readonly #over = Promise.withResolvers<void>();
  readonly #calls: LostCall[] = [];

  /** The calls reported so far, the oldest first. */
  get calls(): readonly LostCall[] {
    return this.#calls.toSorted((a, b) => a.since - b.since).slice(0, MOST_LOST_CALLS);
  }

  /** Whether every caller thread has answered. */
  get isOver(): boolean {
    return this.#outstanding.size === 0;
  }

  /** Resolves when every caller thread has answered, or the time limit has passed. */
  async over(): Promise<void> {
    if (!this.isOver) await within(ANSWER_LIMIT_MS, this.#over.promise, false);
  }

  /** A caller is asked under this many keys. */
  expect(caller: object, names: number): void {
    if (names > 0) this.#outstanding.set(caller, names);
  }

  /** A caller answered under one key. */
  add(caller: object, calls: readonly LostCall[]): void {
    const left = this.#outstanding.get(caller);
    if (left === undefined) return;
    this.#calls.push(...calls);
    if (left > 1) this.#outstanding.set(caller, left - 1);
    else this.forget(caller);
  }

  /** The thread of a caller is gone. */
  forget(caller: object): void {
    this.#outstanding.delete(caller);
    if (this.isOver) this.#over.resolve();
  }
}
