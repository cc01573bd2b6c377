import type { AsyncResource } from 'node:async_hooks';
import { Expiring } from '../time/timer-wheel.ts';
import type { Marks } from '../values/marks.ts';
import type { CallMeta } from './frames.ts';

/**
 * A call as a channel sees it: what to send, and whom to tell. The caller's side of every call; handle/call/call.ts adds the
 * life of it (queue, deadline, cancellation).
 */
export abstract class OutboundCall extends Expiring {
  /** Counts the calls of this thread; request ids are made of it. */
  number = 0;
  method = '';
  /** Captured arguments. */
  args: readonly unknown[] = NO_ARGS;
  marks: Marks | undefined = undefined;
  transfer: ArrayBuffer[] | undefined = undefined;
  bytes = 0;
  meta: CallMeta | undefined = undefined;
  /** Items of the batch that the call ran in; undefined outside of one. */
  batchSize: number | undefined = undefined;
  /** How long the replica ran the call, in ms; undefined where it did not say. */
  ranMs: number | undefined = undefined;

  /** The async context in which the call was made, where more than a promise is to go on in it; undefined = not kept. */
  origin: AsyncResource | undefined = undefined;

  /** @internal Index in the channel's table of open calls; −1 = in none. */ slot = -1;

  /** Prefix of the request ids of this thread. */
  abstract readonly callerName: string;
  /** When it was sent last, a time of `clock.now()`. */
  abstract readonly sentAt: number;

  get requestId(): string {
    return this.meta?.requestId ?? `${this.callerName}-${this.number}`;
  }

  /**
   * Whether it only passes answers on: values come as they crossed the thread, with the marks of their stand-ins, and no
   * object of the user's is made here.
   */
  get wantsRaw(): boolean {
    return false;
  }

  /** The one result of a unary call. @param marks where the call wants raw values */
  abstract succeeded(value: unknown, marks?: Marks): void;
  /** The call failed, in user code or on the way. */
  abstract failed(error: unknown, marks?: Marks): void;
  /** The result is a stream; `head` comes before its chunks. */
  abstract opened(head: unknown, marks?: Marks): void;
  abstract chunk(value: unknown, bytes: number, marks?: Marks): void;
  abstract ended(): void;
  /** The replica consumed chunks of the uploaded body. */
  abstract credited(chunks: number): void;
  /** The replica is gone. `started` is false if it had certainly not begun the call. */
  abstract orphaned(started: boolean, error: unknown): void;
}

const NO_ARGS: readonly unknown[] = [];
