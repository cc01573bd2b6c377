import { floor } from '../threads/floor.ts';
import type { Delegate } from './site.ts';
import { JSON_RESULT } from './work.ts';

/** A worker thread that is called by hand with collected messages, as in the threads bench; for the no-op route alone. */
export async function startFloor(): Promise<{ delegate: Delegate; close(): Promise<void> }> {
  const session = await floor(1);
  const missing = (): Promise<never> => Promise.reject(new Error('the floor has the no-op route alone'));
  return {
    delegate: {
      json: async () => ((await session.echo({ x: 1 })).x === 1 ? JSON_RESULT : undefined),
      echo: missing,
      upload: missing,
      busy: missing,
    },
    close: () => session.close(),
  };
}
