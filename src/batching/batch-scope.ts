import type { CallScope, Child } from '../handle/call/scope.ts';
import type { ServeContext } from '../handle/call/serve-context.ts';
import { now } from '../time/clock.ts';
import { loop } from '../time/loop.ts';

/** What a batch needs to know of one of its members. */
export interface Member {
  /** The call that the item came with; undefined outside a replica. */
  readonly scope: CallScope | undefined;
  readonly isCancelled: boolean;
  readonly isSettled: boolean;
}

/**
 * The `context()` of code that works on a batch. Tenant and model are those of every member; its signal fires when all
 * members are cancelled, and calls made within the batch end then.
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

  /** A member was cancelled: the batch goes on for the others, if there are any. */
  memberCancelled(reason: unknown): void {
    if (this.#cancellation !== undefined || !this.#members.every(({ isCancelled }) => isCancelled)) return;
    this.#cancellation = reason;
    this.#controller.abort(reason);
    for (const child of this.#children) child.cancel(reason);
  }

  get context(): ServeContext {
    return this;
  }

  /** Items, those from outside a call as well. */
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

  /** The tightest of the members' deadlines would end the calls of all, so the loosest counts. */
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

  /** The first member's, as the request id is. */
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

  /** Members may come from different sessions, clients and routes: see `items`. */
  readonly sessionId: undefined = undefined;
  readonly locals: undefined = undefined;
  readonly ip: undefined = undefined;
  readonly params: Readonly<Record<string, string>> = {};
  readonly mountPath = '';

  /** The most important member's. */
  get priorityRank(): number | undefined {
    const ranks = this.#members.flatMap(({ scope }) => scope?.priorityRank ?? []);
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }

  async yield(): Promise<void> {
    await loop.yield();
  }

  /** A batch within a batch: the callers hear of the outer one. */
  joinedBatch(): void {}

  adopt(child: Child): void {
    this.#children.add(child);
  }

  disown(child: Child): void {
    this.#children.delete(child);
  }
}
