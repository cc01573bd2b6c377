import { CHUNKS, type Ends, MIB, measure, type Small } from './work.ts';

/** The caller's side of a contender: ways to call the other process. */
export interface Session {
  echo(payload: Small): Promise<Small>;
  /** Missing where a contender has no way for binaries. */
  measure?(bytes: Uint8Array<ArrayBuffer>): Promise<Ends>;
  /** A stream of `CHUNKS` small values. */
  stream?(): Promise<AsyncIterable<unknown>>;
  close(): Promise<void>;
}

/** The other process of a contender. */
export interface Served {
  readonly port: number;
  close(): Promise<void>;
}

/** One way to call another process. */
export interface Contender {
  serve(): Promise<Served>;
  connect(port: number): Promise<Session>;
}

/** A number measured on something that does not do the work is worth nothing. */
export async function verify(session: Session): Promise<void> {
  check((await session.echo({ x: 41 })).x === 41, 'echo');
  const filled = new Uint8Array(MIB).fill(1);
  if (session.measure !== undefined)
    check((await session.measure(filled)).ends === measure(filled).ends, 'measure');
  if (session.stream !== undefined) check((await count(session.stream())) === CHUNKS, 'stream');
}

/** Reads a stream to its end. */
export async function count(stream: Promise<AsyncIterable<unknown>>): Promise<number> {
  let chunks = 0;
  for await (const _ of await stream) chunks++;
  return chunks;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`wrong result: ${what}`);
}
