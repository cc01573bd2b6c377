import { expect, test } from 'vitest';
import { FRAME } from '../channel/frames.ts';
import { loop } from '../time/loop.ts';
import { Link } from './link.ts';
import type { LinkSocket } from './link-socket.ts';

const LARGE_BYTES = 100_000;

/** A socket that takes bytes when a test says so. */
class SlowSocket implements LinkSocket {
  unsent = 0;
  readonly #callbacks: Array<(() => void) | undefined> = [];

  listen(): void {}

  send(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    for (const { length } of pieces) this.unsent += length;
    this.#callbacks.push(onWritten);
  }

  /** Takes what was sent. */
  write(): void {
    this.unsent = 0;
    for (const written of this.#callbacks.splice(0)) written?.();
  }

  close(): void {}
  destroy(): void {}
}

test('the end of much unsent data is told, if it is of small frames only as well', () => {
  const socket = new SlowSocket();
  let drained = 0;
  const link = new Link(socket, { frames() {}, closed() {}, drained: () => drained++ });
  link.post([FRAME.result, 0, 'x'.repeat(40_000)]);
  loop.flush();
  socket.write();
  expect(drained).toBe(0);
  for (let id = 0; id < 10; id++) link.post([FRAME.result, id, 'x'.repeat(40_000)]);
  loop.flush();
  expect(drained).toBe(0);
  socket.write();
  expect(drained).toBeGreaterThan(0);
});

test('a large frame that comes while many small ones wait leaves after them', () => {
  const socket = new SlowSocket();
  const link = new Link(socket, { frames() {}, closed() {} });
  // More than is kept in the socket before a part follows.
  for (let id = 0; id < 10; id++) link.post([FRAME.result, id, 'x'.repeat(40_000)]);
  loop.flush();
  link.post([FRAME.result, 10, new Uint8Array(LARGE_BYTES)]);
  loop.flush();
  expect(link.unsent - socket.unsent).toBeGreaterThan(LARGE_BYTES);
  for (let turn = 0; turn < 5; turn++) socket.write();
  expect(link.unsent).toBe(0);
});
