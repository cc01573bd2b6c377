import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { turn } from '../../test/support/link.ts';
import { LARGE_BYTES } from '../values/capture.ts';
import { FRAME, frameLength } from './frames.ts';
import { Outbox } from './outbox.ts';
import { PortTransport } from './port-transport.ts';

let sender: MessagePort;
let receiver: MessagePort;
let refused: Array<{ frame: readonly unknown[]; error: unknown }>;
let outbox: Outbox;

beforeEach(() => {
  ({ port1: sender, port2: receiver } = new MessageChannel());
  refused = [];
  outbox = new Outbox(new PortTransport(sender), (frame, error) => refused.push({ frame, error }));
});

afterEach(() => sender.close());

/** Messages that were posted, each as a list of frames. */
function posted(): unknown[][][] {
  const messages: unknown[][][] = [];
  for (let next = receiveMessageOnPort(receiver); next !== undefined; next = receiveMessageOnPort(receiver)) {
    const message = next.message as unknown[];
    const frames: unknown[][] = [];
    for (let at = 0; at < message.length; at += frameLength(message, at)) {
      frames.push(message.slice(at, at + frameLength(message, at)));
    }
    messages.push(frames);
  }
  return messages;
}

function push(frame: readonly unknown[], bytes = 0, transfer?: ArrayBuffer[]): void {
  outbox.frames.push(...frame);
  outbox.commit(bytes, transfer);
}

describe('when a message goes out', () => {
  test('at the end of the turn, with all frames of it', async () => {
    push([FRAME.end, 1]);
    push([FRAME.end, 2]);
    await null;
    expect(posted()).toEqual([]);
    await turn();
    expect(posted()).toEqual([
      [
        [FRAME.end, 1],
        [FRAME.end, 2],
      ],
    ]);
    await turn();
    expect(posted()).toEqual([]);
  });

  test('at once, when it holds 16 frames', async () => {
    for (let id = 0; id < 40; id++) push([FRAME.end, id]);
    expect(posted().map(({ length }) => length)).toEqual([16, 16]);
    await turn();
    expect(posted().map(({ length }) => length)).toEqual([8]);
  });

  test('at once, when it holds 64 chunks, of which four count as one other frame', () => {
    const chunk = (): void => {
      outbox.frames.push(FRAME.chunk, 1, 'x', 1);
      outbox.commitChunk(1, undefined);
    };
    for (let count = 0; count < 130; count++) chunk();
    expect(posted().map(({ length }) => length)).toEqual([64, 64]);
    for (let count = 0; count < 15; count++) push([FRAME.end, count]);
    // Two chunks wait already.
    chunk();
    expect(posted()).toEqual([]);
    chunk();
    expect(posted().map(({ length }) => length)).toEqual([19]);
  });

  test('at once, when it holds 64 KiB to be cloned; what is moved does not count', () => {
    push([FRAME.end, 1], LARGE_BYTES - 1);
    expect(posted()).toEqual([]);
    push([FRAME.end, 2], 1);
    expect(posted()).toHaveLength(1);
    const large = new ArrayBuffer(LARGE_BYTES);
    push([FRAME.result, 3, large], LARGE_BYTES + 10, [large]);
    // A bare transfer, which its sender did not count.
    const bare = new ArrayBuffer(LARGE_BYTES);
    push([FRAME.result, 4, bare], 0, [bare]);
    push([FRAME.end, 5], LARGE_BYTES - 11);
    expect(posted()).toEqual([]);
    push([FRAME.end, 6], 1);
    expect(posted()).toHaveLength(1);
  });

  test('by flush(), and an empty one never', () => {
    outbox.flush();
    expect(posted()).toEqual([]);
    push([FRAME.end, 1]);
    outbox.flush();
    expect(posted()).toHaveLength(1);
  });

  test('never once it is closed', async () => {
    push([FRAME.end, 1]);
    outbox.close();
    push([FRAME.end, 2], LARGE_BYTES);
    await turn();
    expect(posted()).toEqual([]);
    expect(refused).toEqual([]);
  });
});

describe('a frame that cannot be cloned', () => {
  /** What a call sends: fine, uncloneable, or the memory of another call in the batch. */
  const sent = fc.record({
    id: fc.nat(3),
    what: fc.constantFrom('fine', 'moved', 'again', 'uncloneable', 'detached'),
  });

  test('is the only one that is refused, however the batch is mixed', () => {
    fc.assert(
      fc.property(fc.array(sent, { minLength: 1, maxLength: 15 }), (items) => {
        refused.length = 0;
        const scratch = new Uint8Array(8).fill(9);
        let isScratchSent = false;
        const expected: unknown[][] = [];
        const bad: number[] = [];
        for (const [index, { id, what }] of items.entries()) {
          // Calls of their own, so that none is the tail of a broken one.
          const head = [FRAME.call, id + 4 * index, index, 0, 0, 1];
          const own = new Uint8Array(4).fill(index);
          if (what === 'fine') push([...head, { index }]);
          else if (what === 'uncloneable') push([...head, { f: () => {} }]);
          else if (what === 'moved') push([...head, { own }], 4, [own.buffer]);
          else if (what === 'again') push([...head, { scratch }], 8, [scratch.buffer]);
          else push([...head, own], 4, [detached()]);
          if (what === 'fine') expected.push([...head, { index }]);
          else if (what === 'moved') expected.push([...head, { own: new Uint8Array(4).fill(index) }]);
          else if (what === 'detached') expected.push([...head, new Uint8Array(4).fill(index)]);
          else if (what === 'again' && !isScratchSent) {
            isScratchSent = true;
            expected.push([...head, { scratch: new Uint8Array(8).fill(9) }]);
          } else bad.push(index);
        }
        outbox.flush();
        const arrived = posted().flat();
        if (items.length === 1 && items[0]?.what === 'detached') {
          // Nothing else is in the message: the list itself is what is wrong.
          expect(arrived).toEqual([]);
          expect(refused).toHaveLength(1);
          return;
        }
        expect(arrived).toStrictEqual(expected);
        expect(refused.map(({ frame }) => frame[2])).toEqual(bad);
        for (const { error } of refused) expect(error).toMatchObject({ name: 'DataCloneError' });
      }),
      { numRuns: 300 },
    );
  });

  test('takes the later frames of its call along: a stream has no hole', () => {
    push([FRAME.chunk, 7, 'first', 5]);
    push([FRAME.chunk, 7, () => {}, 5]);
    push([FRAME.chunk, 8, 'another', 5]);
    push([FRAME.chunk, 7, 'third', 5]);
    push([FRAME.end, 7]);
    outbox.flush();
    expect(posted().flat()).toEqual([
      [FRAME.chunk, 7, 'first', 5],
      [FRAME.chunk, 8, 'another', 5],
    ]);
    expect(refused).toHaveLength(1);
  });

  test('does not touch a new call that got its id', () => {
    push([FRAME.chunk, 7, () => {}, 5]);
    push([FRAME.call, 7, 1, 0, 0, 0]);
    push([FRAME.cancel, 7, 0]);
    outbox.flush();
    expect(posted().flat()).toEqual([
      [FRAME.call, 7, 1, 0, 0, 0],
      [FRAME.cancel, 7, 0],
    ]);
  });

  test('may be answered by another frame at once', () => {
    outbox = new Outbox(new PortTransport(sender), (frame) =>
      push([FRAME.error, frame[1], 'refused', undefined]),
    );
    push([FRAME.result, 1, 'fine']);
    push([FRAME.result, 2, () => {}]);
    outbox.flush();
    outbox.flush();
    expect(posted().flat()).toEqual([
      [FRAME.result, 1, 'fine'],
      [FRAME.error, 2, 'refused', undefined],
    ]);
  });
});

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(4);
  buffer.transfer();
  return buffer;
}
