import { expect, test } from 'vitest';
import { buffers } from '../fixtures/calls/values.ts';
import { quietServe } from '../support/quiet.ts';

test('two views of one buffer are views of one buffer in the replica, and in its result', async () => {
  await using serve = quietServe();
  const handle = await serve.run(buffers.bind());
  const buffer = new ArrayBuffer(100);
  const [whole, part] = [new Uint8Array(buffer, 10, 20), new Uint8Array(buffer, 12, 4)];
  const [sent, seen] = await handle.fill.remote(whole, part);
  expect([...seen]).toEqual([9, 9, 9, 9]);
  expect(sent.buffer).toBe(seen.buffer);
  expect(sent.buffer.byteLength).toBe(20);
  expect(seen.byteOffset - sent.byteOffset).toBe(2);
  // The caller's own are copied.
  expect([...part]).toEqual([0, 0, 0, 0]);
});
