import { OutboundCall } from '../../channel/outbound-call.ts';
import { now } from '../../time/clock.ts';
import type { Destination } from './destination.ts';

export const CALL_STATE = { fresh: 0, queued: 1, sent: 2, streaming: 3, settled: 4 } as const;
export type CallState = (typeof CALL_STATE)[keyof typeof CALL_STATE];

/**
 * The state of a call: fresh → queued? → sent → streaming? → settled. Each transition is a method of this class, and
 * nothing else writes these fields.
 */
export abstract class CallProgress extends OutboundCall {
  readonly createdAt: number = now();
  #state: CallState = CALL_STATE.fresh;
  #endpoint: Destination | undefined = undefined;
  #readyAt: number = this.createdAt;
  // An initial number would be boxed in every call, since the value is fractional in some calls.
  #queuedAt: number | undefined = undefined;
  #queuedMs: number | undefined = undefined;
  #sentAt = 0;
  #attempts = 0;
  #isPinned = false;

  get state(): CallState {
    return this.#state;
  }

  /** The replica that the call was sent to. */
  get endpoint(): Destination | undefined {
    return this.#endpoint;
  }

  /** Time at which the call's arguments were ready. */
  get readyAt(): number {
    return this.#readyAt;
  }

  /** Time since which the call waits in the queue; 0 = it does not wait. */
  get queuedAt(): number {
    return this.#queuedAt ?? 0;
  }

  /** Total time that the call waited, in ms. */
  get queuedMs(): number {
    return this.#queuedMs ?? 0;
  }

  get sentAt(): number {
    return this.#sentAt;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The call is bound to one replica. */
  get isPinned(): boolean {
    return this.#isPinned;
  }

  get isQueued(): boolean {
    return this.#state === CALL_STATE.queued;
  }

  /** Whether the call was sent and no part of its answer has arrived. */
  get isWaitingForAnswer(): boolean {
    return this.#state === CALL_STATE.sent;
  }

  get isStreaming(): boolean {
    return this.#state === CALL_STATE.streaming;
  }

  get isSettled(): boolean {
    return this.#state === CALL_STATE.settled;
  }

  /** Time that the call ran until `at`, in ms: as its replica reports, else since the call was sent. */
  ranUntil(at: number): number {
    return this.ranMs ?? at - this.#sentAt;
  }

  /** The call's arguments are ready. */
  ready(at: number): void {
    this.#readyAt = at;
  }

  /** The call is bound to one replica. */
  pin(): void {
    this.#isPinned = true;
  }

  /** The call starts to wait for a replica. */
  queued(at: number): void {
    this.#state = CALL_STATE.queued;
    this.#queuedAt = at;
  }

  /** The call leaves the queue, to be sent or because it has ended. */
  dequeued(at: number): void {
    if (this.#state === CALL_STATE.queued) this.#state = CALL_STATE.fresh;
    this.#queuedMs = this.queuedMs + at - this.queuedAt;
    this.#queuedAt = undefined;
  }

  /** The call was sent to a replica. */
  sentTo(endpoint: Destination, at: number): void {
    this.#state = CALL_STATE.sent;
    this.#endpoint = endpoint;
    this.#sentAt = at;
    this.#attempts++;
  }

  /** The call's replica is gone, and the call may go to another replica. */
  lostReplica(): void {
    this.#state = CALL_STATE.fresh;
    this.#endpoint = undefined;
    this.batchSize = undefined;
    this.ranMs = undefined;
    this.peerRun = undefined;
  }

  /** The call was taken back before it began: it waits again, as if it had never left the queue. */
  takenBack(): void {
    this.#state = CALL_STATE.queued;
    this.#endpoint = undefined;
    this.#attempts--;
    this.#queuedAt = this.#sentAt;
  }

  /** Another copy of the call was answered first. */
  answeredAt(endpoint: Destination, sentAt: number): void {
    this.#endpoint = endpoint;
    this.#sentAt = sentAt;
  }

  /** The call's answer is a stream. False if the call does not wait for an answer. */
  protected streams(): boolean {
    if (this.#state !== CALL_STATE.sent) return false;
    this.#state = CALL_STATE.streaming;
    return true;
  }

  /** The call has ended. */
  protected markSettled(): void {
    this.#state = CALL_STATE.settled;
  }
}
