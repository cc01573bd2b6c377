import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ReplicaPool } from './replica-pool.ts';

const ENTRY = fileURLToPath(new URL('../../../test/fixtures/threads/ready-and-gone.ts', import.meta.url));

test('a thread that ends as it says that it is ready takes nothing down', async () => {
  const pool = new ReplicaPool(ENTRY);
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', note);
  try {
    for (let round = 0; round < 8; round++) {
      const gone = once(pool.spawn({}), 'exit');
      await gone;
      await new Promise(setImmediate);
    }
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  expect(thrown).toEqual([]);
});
