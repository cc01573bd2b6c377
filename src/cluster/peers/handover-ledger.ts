import type { StartLedger } from '../../channel/start-ledger.ts';

/**
 * Records which calls of a channel were handed to its link. A call that was handed over counts as started, unless the peer
 * gives it back or the link ends before it has sent the call: what is on its way cannot be taken back.
 */
export class HandoverLedger implements StartLedger {
  /** Number of the call in each slot; negative once it was handed over, 0 once it was taken back. */
  readonly #numbers: number[] = [];

  hasSlot(): boolean {
    return true;
  }

  grow(): undefined {}

  sent(slot: number, number: number): void {
    this.#numbers[slot] = number;
  }

  handedOver(slot: number): void {
    this.#numbers[slot] = -(this.#numbers[slot] as number);
  }

  /** The link has ended, and has not sent the call. */
  unsent(slot: number): void {
    this.#numbers[slot] = Math.abs(this.#numbers[slot] as number);
  }

  takeBack(slot: number, number: number): boolean {
    if (!this.isWaiting(slot, number)) return false;
    this.#numbers[slot] = 0;
    return true;
  }

  isWaiting(slot: number, number: number): boolean {
    return this.#numbers[slot] === number;
  }
}
