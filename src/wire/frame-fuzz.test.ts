import { readFileSync } from 'node:fs';
import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VECTORS } from '../../test/fixtures/wire/wire-vectors.ts';
import { linkPair } from '../../test/support/wire/pair.ts';
import { FRAME } from '../channel/frames.ts';
import { Codec } from './codec.ts';
import { messageHead } from './message.ts';
import { frameAt, PEER_FRAME } from './peer-frames.ts';
import { FAULT, type Fault, FaultCounts, WireError } from './wire-error.ts';

const SEED = 20_261_129;
const FAULTS: readonly Fault[] = Object.values(FAULT);

const file: { readonly messages: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(new URL('../../test/fixtures/wire/wire-vectors.json', import.meta.url), 'utf8'),
);

/** Hands a message to a link. @returns what it said, why it closed, and how many faults it counted */
async function given(
  message: Uint8Array,
): Promise<{ frames: number; error: Error | undefined; counted: number }> {
  const counts = new FaultCounts();
  using pair = linkPair({}, { counts });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  pair.streams[0].write(Buffer.concat([length, message]));
  pair.streams[0].end();
  const error = await pair.inboxB.ended;
  const counted = FAULTS.reduce((sum, fault) => sum + counts.of(fault), 0);
  return { frames: pair.inboxB.received.length, error, counted };
}

function messageOf(slots: readonly unknown[]): Buffer {
  return messageHead(new Codec().encode(slots));
}

describe('the messages of the vectors', () => {
  test.each(Object.entries(file.messages))(
    'are refused where they are cut at any byte: %s',
    async (_name, hex) => {
      const message = Buffer.from(hex, 'hex');
      for (let end = 1; end < message.length; end++) {
        const { frames, error, counted } = await given(message.subarray(0, end));
        expect(error).toBeInstanceOf(WireError);
        expect([frames, counted]).toEqual([0, 1]);
      }
    },
  );

  test('are refused or another frame where a byte is another one: the link goes on, or is closed and counted once', async () => {
    const messages = fc.constantFrom(...Object.values(file.messages));
    await fc.assert(
      fc.asyncProperty(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), async (hex, at, flip) => {
        const message = Buffer.from(hex, 'hex');
        message[at % message.length] = (message[at % message.length] as number) ^ flip;
        const { error, counted } = await given(message);
        expect(counted).toBe(error instanceof WireError ? 1 : 0);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  test('are in their fields what the kinds say: any other type is refused', () => {
    const wrong = [null, true, 'text', -2, 1.5, 2 ** 60, Number.NaN, [], {}, 1n];
    for (const frame of Object.values(VECTORS)) {
      const kind = frame[0] as number;
      const slots = kind >= PEER_FRAME.hello ? [kind, frame.length - 1, ...frame.slice(1)] : [...frame];
      const first = kind >= PEER_FRAME.hello ? 2 : 1;
      for (let at = first; at < slots.length; at++) {
        for (const value of wrong) {
          const changed = slots.with(at, value);
          let parsed: ReturnType<typeof frameAt> | undefined;
          try {
            parsed = frameAt(changed, 0);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
          // What is accepted is a value, or a number in its range.
          if (parsed?.frame === undefined) continue;
          expect(parsed.next).toBeLessThanOrEqual(changed.length);
        }
      }
      expect(() => frameAt(slots.slice(0, -1), 0)).toThrow(WireError);
    }
  });
});

describe('wrong counts', () => {
  test.each([0, 1, 3, 4, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, 1.5, 'two', null])(
    'of fields are refused: a window with %s',
    async (count) => {
      const { error, counted, frames } = await given(messageOf([PEER_FRAME.window, count, 2, 33]));
      expect(error).toMatchObject({ fault: 'malformed' });
      expect([counted, frames]).toEqual([1, 0]);
    },
  );

  test.each([3, 2 ** 31, 2 ** 53 - 1, -1, 0.5, null])(
    'of arguments are refused: a call with %s',
    async (argc) => {
      const { error, counted } = await given(messageOf([FRAME.call, 7, 2, 1, 5_000, argc, 'one']));
      expect(error).toMatchObject({ fault: 'malformed' });
      expect(counted).toBe(1);
    },
  );

  test.each<[string, unknown[]]>([
    ['a large frame of 2^53 bytes', [PEER_FRAME.large, 3, 1, 2 ** 53 - 1, []]],
    ['2^20 binaries', [PEER_FRAME.large, 3, 1, 10, new Array(2 ** 17).fill(2 ** 40)]],
    ['a large frame of negative length', [PEER_FRAME.large, 3, 1, -1, []]],
    ['a part of more bytes than there are', [PEER_FRAME.large, 3, 1, 10, [], PEER_FRAME.part, 2, 1, 100]],
  ])('of bytes are refused, and nothing is reserved: %s', async (_what, slots) => {
    const before = process.memoryUsage().arrayBuffers;
    const { error, counted } = await given(messageOf(slots));
    expect(error).toBeInstanceOf(WireError);
    expect(counted).toBe(1);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
  });
});

test('frames that are not known are skipped by their count, and refused where it says more than there is', async () => {
  const known = [FRAME.end, 7];
  for (const kind of [50, 63, 99, 2 ** 31])
    for (const count of [0, 1, 5]) {
      const unknown = [kind, count, ...new Array(count).fill({ x: [1] })];
      expect(await given(messageOf([...unknown, ...known]))).toEqual({
        frames: 1,
        error: undefined,
        counted: 0,
      });
      const { error, counted, frames } = await given(messageOf([...known, ...unknown.with(1, count + 1)]));
      expect(error).toMatchObject({ fault: 'malformed' });
      expect([counted, frames]).toEqual([1, 0]);
    }
});

test('a value that is too deep is refused in whatever frame it comes', async () => {
  const deep = Buffer.concat([Buffer.alloc(1_500, 0x91), Buffer.of(1)]);
  for (const head of [
    [0x93, FRAME.result, 7],
    [0x97, FRAME.call, 7, 2, 1, 0, 1],
    [0x93, PEER_FRAME.status, 1],
  ]) {
    const body = Buffer.concat([Buffer.from(head), deep]);
    const { error, counted } = await given(messageHead(body));
    expect(error).toMatchObject({ fault: 'depth' });
    expect(counted).toBe(1);
  }
});

test('security row 19: what v8 has serialized is not read', async () => {
  for (const value of [{ x: 1 }, [1, 2], new Map([['a', 1]]), 'text']) {
    expect((await given(serialize(value))).error).toBeInstanceOf(WireError);
    expect((await given(messageHead(serialize(value)))).error).toBeInstanceOf(WireError);
  }
});
