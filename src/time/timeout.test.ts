import { expect, test } from 'vitest';
import { limit, withTimeout } from './timeout.ts';

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Neither the event loop of this thread nor its timers run meanwhile, as in a pause of the process. */
function block(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

test('a limit does not count the time for which nothing ran', async () => {
  const over = Promise.withResolvers<void>();
  let isOver = false;
  limit(200, () => {
    isOver = true;
    over.resolve();
  });
  block(600);
  // The first part of the limit is over now, and three more are to come.
  await new Promise((resolve) => setTimeout(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  await over.promise;
});

test('a limit can be cancelled, and ends by itself', async () => {
  let ended = 0;
  const cancelled = limit(20, () => ended++);
  cancelled.cancel();
  await new Promise<void>((resolve) => void limit(40, resolve));
  expect(ended).toBe(0);
  const late = withTimeout(new Promise(() => {}), 10, () => new RangeError('late'));
  await expect(late).rejects.toThrow('late');
  await expect(withTimeout(Promise.resolve(1), 10, () => new RangeError('late'))).resolves.toBe(1);
});
