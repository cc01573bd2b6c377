import { ServeError } from '../errors.ts';
import type { CallScope, Child } from '../handle/call/scope.ts';
import { now } from '../time/clock.ts';
import type { BatchScope, Member } from './batch-scope.ts';

/** The caller of an item, which receives its outcome. */
export interface ItemCaller<O> {
  /** Receives a result; a streaming item has several. */
  next(value: O): void;
  end(): void;
  fail(error: unknown): void;
  /** Resolves when the caller of a streaming item is not too far behind. */
  room?(): Promise<void>;
}

/** The item of one caller: first queued, then part of a batch, then settled. */
export class BatchItem<I, O> implements Member, Child {
  readonly value: I;
  readonly weight: number;
  readonly scope: CallScope | undefined;
  readonly arrivedAt: number = now();
  readonly #caller: ItemCaller<O>;
  readonly #onSettled: (item: BatchItem<I, O>) => void;
  #batch: BatchScope | undefined = undefined;
  #isSettled = false;
  #isCancelled = false;

  /** @param onSettled called once, before the outcome is given to the caller */
  constructor(
    value: I,
    weight: number,
    scope: CallScope | undefined,
    caller: ItemCaller<O>,
    onSettled: (item: BatchItem<I, O>) => void,
  ) {
    this.value = value;
    this.weight = weight;
    this.scope = scope;
    this.#caller = caller;
    this.#onSettled = onSettled;
    scope?.adopt(this);
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether its batch has started. */
  get hasJoined(): boolean {
    return this.#batch !== undefined;
  }

  /** The deadline as a time of `clock.now()`; 0 = none. */
  get deadlineAt(): number {
    return this.scope?.deadlineAt ?? 0;
  }

  /** Items of one lane may share a batch: never two tenants, never two models. */
  get lane(): string {
    const context = this.scope?.context;
    if (context === undefined) return '';
    const { tenant = '', multiplexedModelId } = context;
    // The length in front keeps different pairs of tenant and model apart.
    return `${tenant.length} ${tenant}${multiplexedModelId}`;
  }

  joined(batch: BatchScope, items: number): void {
    this.#batch = batch;
    this.scope?.joinedBatch(items);
  }

  next(value: O): void {
    if (!this.#isSettled) this.#caller.next(value);
  }

  /** Resolves when the caller has read enough of its values, or has left. */
  async room(): Promise<void> {
    if (!this.#isSettled) await this.#caller.room?.();
  }

  resolve(value: O): void {
    if (!this.#settle()) return;
    this.#caller.next(value);
    this.#caller.end();
  }

  end(): void {
    if (this.#settle()) this.#caller.end();
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#caller.fail(error);
  }

  /** Cancels the item. A queued item never runs; a running batch continues for the other callers. */
  cancel(reason?: unknown): void {
    this.#isCancelled = true;
    const batch = this.#batch;
    if (!this.#settle()) return;
    const cause = reason === undefined ? {} : { cause: reason };
    this.#caller.fail(
      reason instanceof ServeError ? reason : new ServeError('SERVE_CANCELLED', 'cancelled', cause),
    );
    batch?.memberCancelled(reason);
  }

  /** Fails the item, because it cannot be done before its deadline. */
  expire(): void {
    this.fail(new ServeError('SERVE_TIMEOUT', 'the deadline would pass before the batch is done'));
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.scope?.disown(this);
    this.#onSettled(this);
    return true;
  }
}
