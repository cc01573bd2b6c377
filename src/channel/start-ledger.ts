/**
 * The caller's record of which end owns each sent call: whether the other end has begun the call, or the caller can
 * still take it back. Slots are indices of the caller's open calls; numbers distinguish successive calls in one slot.
 */
export interface StartLedger {
  /** Whether a slot can be used; if not, the result of `grow` is sent to the other end first. */
  hasSlot(slot: number): boolean;
  /** Makes room for more slots. @returns the field of the frame `slots` */
  grow(): unknown;
  /** A call is about to be sent. */
  sent(slot: number, number: number): void;
  /** Takes a call back: the other end never begins it. False if the other end has begun the call, or may have. */
  takeBack(slot: number, number: number): boolean;
  /** Whether a call could be taken back; a snapshot that may be outdated at once. */
  isWaiting(slot: number, number: number): boolean;
}

/** The ledger at the end that begins the calls. */
export interface BeginLedger {
  /** Adopts the caller's room for more slots. @param field of the frame `slots` */
  adopt(field: unknown): void;
  /** Begins a call. False if its caller has taken the call back. */
  begin(slot: number, number: number): boolean;
  /** Number of reserved places whose calls have not arrived. @param begun calls that have begun */
  unused(begun: number): number;
}

/**
 * The ledger of a channel whose ends share no memory: a call that was sent counts as begun, since the other end may have begun
 * it, and says so too late.
 */
export const NO_LEDGER: StartLedger & BeginLedger = {
  hasSlot: () => true,
  grow: () => undefined,
  sent() {},
  takeBack: () => false,
  isWaiting: () => false,
  adopt() {},
  begin: () => true,
  unused: () => 0,
};
