import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamLinkSocket } from './stream-link.ts';

/** What a stream reads, each read in memory of its own, as a socket makes it. */
async function received(messages: readonly Buffer[], readBytes: readonly number[]) {
  const wire = Buffer.concat(messages.flatMap((message) => [lengthOf(message), message]));
  const stream = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  const arrived: Buffer[] = [];
  new StreamLinkSocket(stream).listen({
    // As a link does it: only a message in one piece is referred to later.
    message: (pieces) => arrived.push(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)),
    closed() {},
  });
  const reads: Buffer[] = [];
  for (let at = 0, index = 0; at < wire.length; index++) {
    const bytes = wire.subarray(at, at + (readBytes[index % readBytes.length] as number));
    const read = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(read);
    reads.push(read);
    stream.push(read);
    at += bytes.length;
    await turn();
  }
  return { arrived, reads };
}

function lengthOf({ length }: Buffer): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(length);
  return prefix;
}

const isFreed = ({ buffer }: Buffer): boolean => (buffer as ArrayBuffer).detached;

test('the memory of reads is freed once their large messages are delivered, but not what a message refers to', async () => {
  const [large, small] = [Buffer.alloc(100_000, 'large'), Buffer.alloc(19_000, 'small')];
  const { arrived, reads } = await received([large, small, large, small], [40_000]);
  expect(arrived.map((message) => message.toString('latin1'))).toEqual(
    [large, small, large, small].map((message) => message.toString('latin1')),
  );
  // The third and the last read have a small message in one piece.
  expect(reads.map(isFreed)).toEqual([true, true, false, true, true, false]);
});

test('messages arrive whole, wherever the reads cut them', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 6 });
  const cuts = fc.array(fc.constantFrom(1_000, 16_384, 20_000, 65_536), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(sizes, cuts, async (lengths, readBytes) => {
      const messages = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const { arrived } = await received(messages, readBytes);
      expect(arrived.map((message) => [message.length, message[0], message.at(-1)])).toEqual(
        messages.map((message) => [message.length, message[0], message.at(-1)]),
      );
    }),
    { seed: 29, numRuns: 50 },
  );
});
