import type { Marks } from '../values/marks.ts';
import type { EncodedValue } from '../values/transfer.ts';
import type { CallMeta, CancelCode } from './frames.ts';

/** What a call brought along, with its stand-ins. */
export interface RawArguments {
  readonly args: readonly unknown[];
  readonly marks: Marks | undefined;
  readonly meta: CallMeta | undefined;
}

/** What the running call wants to hear from its caller. */
export interface InboundListener {
  cancelled(code: CancelCode): void;
  /** The reader of the streamed result consumed chunks. */
  credited(chunks: number): void;
  uploaded(value: unknown, bytes: number): void;
  uploadEnded(): void;
  /** A chunk could not be sent; the stream must end with this error. */
  refused(error: Error): void;
}

/**
 * A call as it arrived at a replica, and the way to answer it. Exactly one of `result`, `error` and `end` is its last
 * frame.
 */
export interface InboundCall {
  /** Prefix of the request ids of the thread that made it. */
  readonly callerName: string;
  readonly number: number;
  /** Index into the method table, or `METHOD_HTTP`. */
  readonly method: number;
  /** Time of `clock.now()`; 0 = none. */
  readonly deadline: number;
  readonly args: unknown[];
  /** Arguments and meta as they crossed the thread, for a call that only passes them on: asked instead of `args`. */
  raw(): RawArguments;
  readonly meta: CallMeta | undefined;
  /** Whether values pass as they are, on one thread, instead of being captured. */
  readonly isByReference: boolean;
  listener: InboundListener | undefined;

  result(value: unknown, encoded: EncodedValue): void;
  error(error: unknown, encoded: EncodedValue): void;
  open(head: unknown, encoded: EncodedValue): void;
  chunk(value: unknown, encoded: EncodedValue): void;
  /**
   * Sends a piece of a body: text or few bytes, which are copied. Where one piece ends means nothing to a reader of bytes,
   * so a piece joins the one before while that has not left.
   *
   * @returns whether it joined: both are one chunk then
   */
  piece(value: string | Uint8Array): boolean;
  end(): void;
  /** The consumer of the uploaded body read chunks. */
  credit(chunks: number): void;
  /** It runs in a batch of so many: for the caller's `explain()`. */
  batched(items: number): void;
}
