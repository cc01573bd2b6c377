import type { Marks } from '../values/marks.ts';
import type { EncodedValue } from '../values/transfer.ts';
import type { CallMeta, CancelCode } from './frames.ts';

/** Arguments and metadata of a call, with their stand-ins. */
export interface RawArguments {
  readonly args: readonly unknown[];
  readonly marks: Marks | undefined;
  readonly meta: CallMeta | undefined;
}

/** Events from the caller to the running call. */
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
 * A call that arrived at a replica, and the functions to answer it. Exactly one of `result`, `error` and `end` is its
 * last frame.
 */
export interface InboundCall {
  /** Prefix of the request ids of the calling thread. */
  readonly callerName: string;
  readonly number: number;
  /** Index into the method table, or `METHOD_HTTP`. */
  readonly method: number;
  /** Deadline, a time of `clock.now()`; 0 = none. */
  readonly deadline: number;
  readonly args: unknown[];
  /** Arguments and meta as they crossed the thread, for a call that only passes them on; used instead of `args`. */
  raw(): RawArguments;
  readonly meta: CallMeta | undefined;
  /** The kind of body that the caller streams along with the call; undefined = none. */
  readonly upload: CallMeta['upload'];
  /** Whether values pass as they are, on one thread, instead of being captured. */
  readonly isByReference: boolean;
  listener: InboundListener | undefined;

  result(value: unknown, encoded: EncodedValue): void;
  error(error: unknown, encoded: EncodedValue): void;
  open(head: unknown, encoded: EncodedValue): void;
  chunk(value: unknown, encoded: EncodedValue): void;
  /**
   * Sends a piece of a body: text or few bytes, which are copied. Boundaries of pieces mean nothing to a reader of
   * bytes, so a piece joins the piece before while that one has not left.
   *
   * @returns whether the piece joined: both are one chunk then
   */
  piece(value: string | Uint8Array): boolean;
  end(): void;
  /** The consumer of the uploaded body read chunks. */
  credit(chunks: number): void;
  /** Reports the size of the call's batch for the caller's `explain()`. */
  batched(items: number): void;
}
