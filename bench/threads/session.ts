import { type Ends, ends, MIB, type Payload, type Small } from './work.ts';

/** Some started worker threads and the ways to call them. */
export interface Session {
  echo(payload: Small): Promise<Small>;
  /** An `ArrayBuffer` is copied, a `SharedArrayBuffer` is shared. */
  measure(bytes: ArrayBuffer | SharedArrayBuffer): Promise<Ends>;
  measureTransferred(bytes: ArrayBuffer): Promise<Ends>;
  /** Transferred there and back; missing where results cannot be transferred. */
  bounce?(bytes: ArrayBuffer): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

/** Starts `workers` threads with one way to call them. */
export type Implementation = (workers: number) => Promise<Session>;

export type CallWork = (payload: Payload, transfer?: ArrayBuffer[]) => Promise<unknown>;

/** A session of what calls the one function `work` and gives back what it answers. */
export function sessionOf(call: CallWork, close: () => Promise<unknown>): Session {
  return {
    echo: (payload) => call(payload) as Promise<Small>,
    measure: (bytes) => call({ bytes }) as Promise<Ends>,
    measureTransferred: (bytes) => call({ bytes }, [bytes]) as Promise<Ends>,
    bounce: (bytes) => call({ bounce: bytes }, [bytes]) as Promise<ArrayBuffer>,
    close: async () => {
      await close();
    },
  };
}

/** A number measured on something that does not do the work is worth nothing. */
export async function verify(session: Session): Promise<void> {
  check((await session.echo({ x: 41 })).x === 41, 'echo');
  const filled = () => new Uint8Array(MIB).fill(1).buffer;
  const expected = ends(filled()).ends;

  const copied = filled();
  check((await session.measure(copied)).ends === expected && copied.byteLength === MIB, 'copy');
  const transferred = filled();
  const there = await session.measureTransferred(transferred);
  check(there.ends === expected && transferred.byteLength === 0, 'transfer');
  if (session.bounce !== undefined) {
    const sent = filled();
    const back = await session.bounce(sent);
    check(sent.byteLength === 0 && back.byteLength === MIB && ends(back).ends === expected, 'recycle');
  }
  const shared = new SharedArrayBuffer(MIB);
  new Uint8Array(shared).fill(1);
  check((await session.measure(shared)).ends === expected, 'share');
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`wrong result: ${what}`);
}
