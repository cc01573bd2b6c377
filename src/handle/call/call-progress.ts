import { OutboundCall } from '../../channel/outbound-call.ts';
import { now } from '../../time/clock.ts';
import type { Destination } from './destination.ts';

export const CALL_STATE = { fresh: 0, queued: 1, sent: 2, streaming: 3, settled: 4 } as const;
export type CallState = (typeof CALL_STATE)[keyof typeof CALL_STATE];

/**
 * How far a call has come: fresh → queued? → sent → streaming? → settled. Each transition is a method of this class, and
 * nothing else writes these fields.
 */
export abstract class CallProgress extends OutboundCall {
  readonly createdAt: number = now();
  #state: CallState = CALL_STATE.fresh;
  #endpoint: Destination | undefined = undefined;
  #readyAt: number = this.createdAt;
  // A number from the start would be a box of its own in every call, since it has a fraction in some.
  #queuedAt: number | undefined = undefined;
  #queuedMs: number | undefined = undefined;
  #sentAt = 0;
  #attempts = 0;
  #isPinned = false;

  get state(): CallState {
    return this.#state;
  }

  /** The replica that it was sent to. */
  get endpoint(): Destination | undefined {
    return this.#endpoint;
  }

  /** Since when it could be sent: its arguments are there. */
  get readyAt(): number {
    return this.#readyAt;
  }

  /** Since when it waits in the queue; 0 = it does not. */
  get queuedAt(): number {
    return this.#queuedAt ?? 0;
  }

  /** How long it waited in all, in ms. */
  get queuedMs(): number {
    return this.#queuedMs ?? 0;
  }

  get sentAt(): number {
    return this.#sentAt;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** It is for one replica and no other. */
  get isPinned(): boolean {
    return this.#isPinned;
  }

  get isQueued(): boolean {
    return this.#state === CALL_STATE.queued;
  }

  /** Sent, and nothing of an answer is here. */
  get isWaitingForAnswer(): boolean {
    return this.#state === CALL_STATE.sent;
  }

  get isStreaming(): boolean {
    return this.#state === CALL_STATE.streaming;
  }

  get isSettled(): boolean {
    return this.#state === CALL_STATE.settled;
  }

  /** How long it ran until `at`, in ms: as its replica says, else since it was sent. */
  ranUntil(at: number): number {
    return this.ranMs ?? at - this.#sentAt;
  }

  /** Its arguments are there. */
  ready(at: number): void {
    this.#readyAt = at;
  }

  /** It is for one replica and no other. */
  pin(): void {
    this.#isPinned = true;
  }

  /** It waits for a replica from now on. */
  queued(at: number): void {
    this.#state = CALL_STATE.queued;
    this.#queuedAt = at;
  }

  /** It leaves the queue: to be sent, or since it is over. */
  dequeued(at: number): void {
    if (this.#state === CALL_STATE.queued) this.#state = CALL_STATE.fresh;
    this.#queuedMs = this.queuedMs + at - this.queuedAt;
    this.#queuedAt = undefined;
  }

  /** A replica has it. */
  sentTo(endpoint: Destination, at: number): void {
    this.#state = CALL_STATE.sent;
    this.#endpoint = endpoint;
    this.#sentAt = at;
    this.#attempts++;
  }

  /** Its replica is gone, and it may go to another one. */
  lostReplica(): void {
    this.#state = CALL_STATE.fresh;
    this.#endpoint = undefined;
    this.batchSize = undefined;
    this.ranMs = undefined;
  }

  /** It was sent and has not begun: it waits again, as if it had never left. */
  takenBack(): void {
    this.#state = CALL_STATE.queued;
    this.#endpoint = undefined;
    this.#attempts--;
    this.#queuedAt = this.#sentAt;
  }

  /** Another copy of it was answered first. */
  answeredAt(endpoint: Destination, sentAt: number): void {
    this.#endpoint = endpoint;
    this.#sentAt = sentAt;
  }

  /** Its answer is a stream. False if it does not wait for an answer. */
  protected streams(): boolean {
    if (this.#state !== CALL_STATE.sent) return false;
    this.#state = CALL_STATE.streaming;
    return true;
  }

  /** It is over. */
  protected markSettled(): void {
    this.#state = CALL_STATE.settled;
  }
}
