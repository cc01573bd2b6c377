export interface Item {
  readonly x: number;
}

/** One way to get work done on other threads. */
export interface Session {
  pass(item: Item): Promise<Item>;
  /** A frame of so many bytes goes through the stages; answers its length. Missing where there is but one stage. */
  frame?(bytes: number): Promise<number>;
  close(): Promise<void>;
}

/** A number measured on something that does not do the work is worth nothing. */
export async function verify(session: Session): Promise<void> {
  if ((await session.pass({ x: 41 })).x !== 41) throw new Error('wrong result: pass');
  if (session.frame !== undefined && (await session.frame(1 << 20)) !== 1 << 18) {
    throw new Error('wrong result: frame');
  }
}
