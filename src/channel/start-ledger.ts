/**
 * What the caller's end of a channel knows of the start of its calls: whether the other end has begun a call that was sent, or
 * the caller still has it. Slots are those of the caller's open calls, numbers tell the calls apart that a slot holds one
 * after the other.
 */
export interface StartLedger {
  /** Whether a slot can be used; if not, the other end is told what `grow` answers before it is. */
  hasSlot(slot: number): boolean;
  /** Makes room for more slots. @returns the field of the frame `slots` */
  grow(): unknown;
  /** A call is about to be sent. */
  sent(slot: number, number: number): void;
  /** Takes a call back: the other end never begins it. False if it has, or may have. */
  takeBack(slot: number, number: number): boolean;
  /** Whether a call could be taken back. A look, not a promise. */
  isWaiting(slot: number, number: number): boolean;
}

/** The same at the other end. */
export interface BeginLedger {
  /** The caller made room for more slots. @param field of the frame `slots` */
  adopt(field: unknown): void;
  /** A call begins. False if its caller has taken it back. */
  begin(slot: number, number: number): boolean;
  /** Reserved places whose calls have not come. @param begun calls that have begun */
  unused(begun: number): number;
}
