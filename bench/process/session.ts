import type { Small } from '../threads/work.ts';

/** One way to call code in a thread or a process. */
export interface Session {
  echo(payload: Small): Promise<Small>;
  /** Kills a process. Resolves to the time until its calls have failed, or until its exit is known, in ms. */
  death?(): Promise<number>;
  close(): Promise<void>;
}
