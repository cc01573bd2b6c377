import { TABLE_BYTES } from '../load/load-table.ts';
import type { BeginLedger, StartLedger } from './start-ledger.ts';

/** State of a sent call, in the two low bits of a slot's claim word; the call's number stands above them. */
const CLAIM = { sent: 1, begun: 2, takenBack: 3 } as const;
const NUMBER_SHIFT = 2;

/** Slots per segment. A link with more calls at a time takes a further segment. */
const SEGMENT_SLOTS = 256;
const SEGMENT_SHIFT = 8;
const SLOT_MASK = SEGMENT_SLOTS - 1;
/** One claim word for each slot. */
const SEGMENT_BYTES = SEGMENT_SLOTS * 4;

const L_RESERVED = 0;
const FIRST_SEGMENT = TABLE_BYTES;

/**
 * Memory that the two ends of a link share: how many places the caller has reserved, and which end owns each call on
 * its way. A call that was sent is either begun by the replica or taken back by the caller, whichever comes first,
 * decided by one compare-and-exchange on its slot's claim word. So both ends agree whatever happens to either: a call
 * that is taken back never runs, and after the death of a replica the caller knows which of its calls had begun.
 *
 * The word holds the call's number as well: a message may arrive after its slot was given to another call.
 */
export class LinkLedger implements StartLedger, BeginLedger {
  readonly shared: SharedArrayBuffer;
  /** @internal Charged by the load table. */ readonly words: Int32Array;
  readonly #segments: Int32Array[];

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(FIRST_SEGMENT + SEGMENT_BYTES)) {
    this.shared = shared;
    this.words = new Int32Array(shared, 0, TABLE_BYTES / 4);
    this.#segments = [new Int32Array(shared, FIRST_SEGMENT)];
  }

  /**
   * Places that the caller has reserved since the link was made, minus the places that it gave back. Wraps with 32
   * bits.
   */
  get reserved(): number {
    return Atomics.load(this.words, L_RESERVED);
  }

  /**
   * Number of reserved places whose calls have not arrived.
   * @param begun calls that have arrived since the link was made
   */
  unused(begun: number): number {
    // The word wraps after 30 h of 20,000 calls/s.
    return (this.reserved - begun) | 0;
  }

  /** Whether `slot` has words; if not, the caller adds a segment and tells the replica before it uses the slot. */
  hasSlot(slot: number): boolean {
    return slot >>> SEGMENT_SHIFT < this.#segments.length;
  }

  /** Makes room for more slots. @returns the segment, for the other end */
  grow(): SharedArrayBuffer {
    const segment = new SharedArrayBuffer(SEGMENT_BYTES);
    this.adopt(segment);
    return segment;
  }

  /** Adopts a segment that the other end added. */
  adopt(segment: unknown): void {
    this.#segments.push(new Int32Array(segment as SharedArrayBuffer));
  }

  /** The caller is about to send a call. A plain store suffices: the message that follows orders it. */
  sent(slot: number, number: number): void {
    this.#segment(slot)[slot & SLOT_MASK] = (number << NUMBER_SHIFT) | CLAIM.sent;
  }

  /** The replica begins a call. False if the caller has taken the call back, which must not run then. */
  begin(slot: number, number: number): boolean {
    return this.#exchange(slot, number, CLAIM.begun);
  }

  /** The caller takes a call back. False if the replica has begun the call. */
  takeBack(slot: number, number: number): boolean {
    return this.#exchange(slot, number, CLAIM.takenBack);
  }

  /** Whether the call still waits for the replica; a snapshot that may be outdated at once. */
  isWaiting(slot: number, number: number): boolean {
    return this.#segment(slot)[slot & SLOT_MASK] === ((number << NUMBER_SHIFT) | CLAIM.sent);
  }

  #exchange(slot: number, number: number, to: number): boolean {
    const sent = (number << NUMBER_SHIFT) | CLAIM.sent;
    const next = (number << NUMBER_SHIFT) | to;
    return Atomics.compareExchange(this.#segment(slot), slot & SLOT_MASK, sent, next) === sent;
  }

  #segment(slot: number): Int32Array {
    return this.#segments[slot >>> SEGMENT_SHIFT] as Int32Array;
  }
}
