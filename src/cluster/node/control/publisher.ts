import type { Plan } from '../../documents.ts';
import type { Lease } from '../../fleet-store.ts';
import type { FleetFrame } from '../events.ts';
import type { StoreSync } from '../store-sync.ts';
import { type PlanContent, planOf } from './plan-content.ts';

export interface PublisherListener {
  /** The lease, while this instance may act as its holder. */
  lease(): Lease | undefined;
  /** Whether the instance itself obeys the plan. */
  obey(plan: Plan): boolean;
  sendAll(frame: FleetFrame): void;
  /** Another instance wrote a plan, or the lease is lost. */
  refused(): void;
}

/** Writes the plans of a leader, and sends them over the links once the store has them or cannot be reached. */
export class Publisher {
  readonly #sync: StoreSync;
  readonly #listener: PublisherListener;
  #isWriting = false;

  constructor(sync: StoreSync, listener: PublisherListener) {
    this.#sync = sync;
    this.#listener = listener;
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** @param current the plan that is in force */
  publish(content: PlanContent, current: Plan | undefined, format: number, now: number): void {
    const lease = this.#listener.lease();
    if (lease === undefined || this.#isWriting) return;
    const number = Math.max(current?.number ?? 0, this.#sync.stored.number, 0) + 1;
    this.#write(planOf(content, number, lease.token, lease.owner, format), now);
  }

  /** Writes the plan in force once more: the store has lost the plan, or holds an unreadable one. */
  republish(current: Plan, format: number, now: number): void {
    const lease = this.#listener.lease();
    if (lease === undefined || this.#isWriting) return;
    const { stored } = this.#sync;
    const isReadable = current.format <= format;
    if (isReadable && current.token === lease.token && current.number > stored.number)
      this.#write(current, now);
    else {
      const { format: _, number, token, owner, ...content } = current;
      this.publish(content, current, format, now);
    }
  }

  #write(document: Plan, now: number): void {
    this.#isWriting = true;
    const { owner } = document;
    this.#sync.call(
      { op: 'plan', owner, expected: this.#sync.stored.number, document },
      now,
      (answer, failure) => {
        this.#isWriting = false;
        const isWritten = answer?.op === 'plan' && answer.isAccepted;
        if (isWritten) this.#sync.stored = document;
        // While the lease lasts no other instance can have made a plan, so the links suffice.
        const lease = this.#listener.lease();
        if (isWritten || (failure !== undefined && lease?.token === document.token))
          this.#distribute(document);
        else this.#listener.refused();
      },
    );
  }

  #distribute(plan: Plan): void {
    if (this.#listener.obey(plan)) this.#listener.sendAll({ kind: 'plan', plan });
    else this.#listener.refused();
  }
}
