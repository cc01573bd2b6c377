import type { CallScope, Child } from '../handle/call/scope.ts';
import type { ServeContext } from '../handle/call/serve-context.ts';
import { now } from '../time/clock.ts';
import { loop } from '../time/loop.ts';

/** The part of an item that the batch reads. */
export interface Member {
  /** The scope of the call that brought the item; undefined outside a replica. */
  readonly scope: CallScope | undefined;
  readonly isCancelled: boolean;
  readonly isSettled: boolean;
}

/**
 * The `context()` of code that runs a batch. Tenant and model are the same for all members. The signal fires when all members
 * are cancelled, which also cancels the calls made within the batch.
 */
export class BatchScope implements CallScope, ServeContext {
  readonly #members: readonly Member[];
  readonly #first: ServeContext | undefined;
  readonly #controller = new AbortController();
  readonly #children = new Set<Child>();
  #cancellation: unknown = undefined;

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#first = members[0]?.scope?.context;
  }

  /** Notes that a member was cancelled. The batch continues as long as another member is left. */
  memberCancelled(reason: unknown): void {
    if (this.#cancellation !== undefined || !this.#members.every(({ isCancelled }) => isCancelled)) return;
    this.#cancellation = reason;
    this.#controller.abort(reason);
    for (const child of this.#children) child.cancel(reason);
  }

  get context(): ServeContext {
    return this;
  }

  /** The number of items, including those from outside a call. */
  get size(): number {
    return this.#members.length;
  }

  get items(): readonly ServeContext[] {
    return this.#members.flatMap(({ scope }) => (scope === undefined ? [] : [scope.context]));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isRunning(): boolean {
    return this.#members.some(({ isSettled }) => !isSettled);
  }

  get cancellation(): unknown {
    return this.#cancellation;
  }

  /** The latest deadline of the members, because the earliest one would end the calls of all. */
  get deadlineAt(): number {
    const deadlines = this.#members.map(({ scope }) => scope?.deadlineAt ?? 0);
    return deadlines.includes(0) ? 0 : Math.max(...deadlines);
  }

  get deadline(): number | undefined {
    const at = this.deadlineAt;
    return at === 0 ? undefined : Date.now() + (at - now());
  }

  get app(): string {
    return this.#first?.app ?? '';
  }

  get deployment(): string {
    return this.#first?.deployment ?? '';
  }

  get replicaId(): string {
    return this.#first?.replicaId ?? '';
  }

  get gpus(): readonly number[] {
    return this.#first?.gpus ?? [];
  }

  get rank(): number {
    return this.#first?.rank ?? 0;
  }

  get requestId(): string {
    return this.#first?.requestId ?? '';
  }

  /** The route of the first member, as the request id is. */
  get route(): string | undefined {
    return this.#members[0]?.scope?.route;
  }

  get traceparent(): string | undefined {
    return this.#first?.traceparent;
  }

  get tracestate(): string | undefined {
    return this.#first?.tracestate;
  }

  get multiplexedModelId(): string {
    return this.#first?.multiplexedModelId ?? '';
  }

  get tenant(): string | undefined {
    return this.#first?.tenant;
  }

  /** Members may come from different sessions, clients and routes; `items` has the values of each. */
  readonly sessionId: undefined = undefined;
  readonly locals: undefined = undefined;
  readonly ip: undefined = undefined;
  readonly params: Readonly<Record<string, string>> = {};
  readonly mountPath = '';

  /** The rank of the most important member. */
  get priorityRank(): number | undefined {
    const ranks = this.#members.flatMap(({ scope }) => scope?.priorityRank ?? []);
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }

  /** The replica has started. */
  progress(): void {}

  async yield(): Promise<void> {
    await loop.yield();
  }

  /** Does nothing for a batch within a batch: callers are told the size of the outer one. */
  joinedBatch(): void {}

  adopt(child: Child): void {
    this.#children.add(child);
  }

  disown(child: Child): void {
    this.#children.delete(child);
  }
}
