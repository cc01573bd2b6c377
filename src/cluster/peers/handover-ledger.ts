import type { StartLedger } from '../../channel/start-ledger.ts';

/**
 * Records which calls of a channel were handed to its link. A call that was handed over counts as started, unless the peer
 * gives it back: what is on its way cannot be taken back.
 */
export class HandoverLedger implements StartLedger {
  /** Number of the call in each slot that was not handed over. */
  readonly #waiting: Array<number | undefined> = [];

  hasSlot(): boolean {
    return true;
  }

  grow(): undefined {}

  sent(slot: number, number: number): void {
    this.#waiting[slot] = number;
  }

  handedOver(slot: number): void {
    this.#waiting[slot] = undefined;
  }

  takeBack(slot: number, number: number): boolean {
    if (!this.isWaiting(slot, number)) return false;
    this.#waiting[slot] = undefined;
    return true;
  }

  isWaiting(slot: number, number: number): boolean {
    return this.#waiting[slot] === number;
  }
}
