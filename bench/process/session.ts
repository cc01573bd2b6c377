import type { Small } from '../threads/work.ts';

/** One way to call code in a thread or a process. */
export interface Session {
  echo(payload: Small): Promise<Small>;
  /** Kills the process with calls under way. Resolves to the time until the calls have failed, in ms. */
  death?(): Promise<number>;
  close(): Promise<void>;
}
