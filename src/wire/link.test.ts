import { describe, expect, test } from 'vitest';
import { linkPair } from '../../test/support/wire/pair.ts';
import { FRAME } from '../channel/frames.ts';
import { MARK } from '../values/marks.ts';
import { PEER_FRAME } from './peer-frames.ts';
import { FaultCounts } from './wire-error.ts';

const MIB = 1_048_576;

function call(id: number, ...args: unknown[]): unknown[] {
  return [FRAME.call, id, 0, 1, 5_000, args.length, ...args];
}

describe('frames', () => {
  test.each([
    [[FRAME.call, 0, 3, 1, 5_000, 2, { x: 1 }, 'text']],
    [[FRAME.callExtra, 1, 3, 1, 0, 1, undefined, 'request-1\n/route', undefined]],
    [[FRAME.callExtra, 2, 3, -1, 0, 0, { requestId: 'r', params: {} }, undefined]],
    [[FRAME.cancel, 1, 1]],
    [[FRAME.result, 1, new Map([[1, -0]])]],
    [[FRAME.open, 4, { status: 200 }, undefined]],
    [[FRAME.chunk, 4, new Uint8Array(3), 3]],
    [[FRAME.end, 4]],
    [[FRAME.credit, 4, 16]],
    [[FRAME.batched, 4, 8]],
    [[PEER_FRAME.window, 3, 17]],
    [[PEER_FRAME.refused, 1, 0]],
    [[PEER_FRAME.moved, 1]],
    [[PEER_FRAME.status, { deployments: [] }]],
    [[PEER_FRAME.control, { number: 1 }]],
    [[PEER_FRAME.draining]],
  ])('arrive as they were sent: %j', async (frame) => {
    using pair = linkPair();
    pair.a.post(frame);
    expect(await pair.inboxB.first(1)).toEqual([frame]);
  });

  test('arrive with their marks', async () => {
    using pair = linkPair();
    const [bytes, standIn] = [
      new Uint8Array([1]),
      { base: 'Error', name: 'E', message: 'm', stack: undefined, data: {} },
    ];
    pair.a.post([FRAME.resultMarked, 1, [bytes, standIn], [bytes, MARK.buffer, standIn, MARK.error]]);
    const [frame] = (await pair.inboxB.first(1)) as [[number, number, unknown[], unknown[]]];
    expect(frame[2]).toEqual([bytes, standIn]);
    expect(frame[3]).toContain(frame[2][0]);
    expect(frame[3]).toContain(frame[2][1]);
  });

  test('that come in company again and again share one message per turn', async () => {
    using pair = linkPair();
    for (const [turn, messages] of [2, 3, 4].entries()) {
      for (let id = 0; id < 10; id++) pair.a.post(call(id, turn));
      await pair.inboxB.first(10 * (turn + 1));
      expect(pair.inboxB.messages).toBe(messages);
      // The link becomes idle.
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
    pair.a.post(call(0, 'alone'));
    await pair.inboxB.first(31);
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    // A frame that came alone: the next one need not wait for others.
    const before = pair.inboxB.messages;
    pair.a.post(call(1, 'at once'));
    pair.a.post(call(2, 'later'));
    await pair.inboxB.first(33);
    expect(pair.inboxB.messages - before).toBe(2);
  });

  test('of one turn share a message; the first one of an idle link leaves at once', async () => {
    using pair = linkPair();
    const { received } = pair.inboxB;
    for (let id = 0; id < 10; id++) pair.a.post(call(id, { x: id }));
    await pair.inboxB.first(10);
    expect(received.map(([, id]) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(pair.inboxB.messages).toBe(2);
  });

  test('share it up to 16, or 64 KiB', async () => {
    using pair = linkPair();
    for (let id = 0; id < 33; id++) pair.a.post(call(id));
    await pair.inboxB.first(33);
    expect(pair.inboxB.messages).toBe(3);
    for (let id = 0; id < 6; id++) pair.a.post(call(id, 'x'.repeat(30_000)));
    await pair.inboxB.first(39);
    expect(pair.inboxB.messages).toBe(3 + 2);
  });

  test('of one turn share it where they are chunks of streams, however many, up to 64 KiB', async () => {
    using pair = linkPair();
    // The first one leaves alone.
    for (let chunk = 0; chunk < 200; chunk++) pair.a.post([FRAME.chunk, 0, chunk, 0]);
    await pair.inboxB.first(200);
    expect(pair.inboxB.messages).toBe(2);
    for (let chunk = 0; chunk < 6; chunk++) pair.a.post([FRAME.chunk, 0, 'x'.repeat(30_000), 0]);
    await pair.inboxB.first(206);
    expect(pair.inboxB.messages).toBe(2 + 2);
  });

  test('that cannot be sent fail for themselves, and leave nothing behind', async () => {
    using pair = linkPair();
    pair.a.post(call(0));
    pair.a.post(call(1, 'before'));
    const half = call(2, 'half', { at: [new SharedArrayBuffer(1)] });
    expect(() => pair.a.post(half)).toThrow(
      'arg 1.at[0] cannot cross to another process: it is a SharedArrayBuffer',
    );
    expect(() => pair.a.post([FRAME.result, 2, new SharedArrayBuffer(1)])).toThrow('result cannot cross');
    pair.a.post(call(3, 'after'));
    expect((await pair.inboxB.first(3)).map(([, id]) => id)).toEqual([0, 1, 3]);
  });

  test('of a later version are skipped', async () => {
    using pair = linkPair();
    pair.a.post([99, 'unknown', { x: 1 }]);
    pair.a.post([FRAME.end, 7]);
    expect(await pair.inboxB.first(1)).toEqual([[FRAME.end, 7]]);
  });

  test('a ping is answered', async () => {
    using pair = linkPair();
    pair.a.post([PEER_FRAME.ping, 17]);
    expect(await pair.inboxA.first(1)).toEqual([[PEER_FRAME.pong, 17]]);
  });

  test('are dropped on a link that is closed', async () => {
    using pair = linkPair();
    pair.a.post([FRAME.end, 1]);
    pair.a.close();
    expect(await pair.inboxB.ended).toBe(undefined);
    pair.a.post([FRAME.end, 2]);
    expect(pair.inboxB.received).toEqual([[FRAME.end, 1]]);
  });
});

describe('large frames', () => {
  test('tell the memory of their binaries, which only they refer to', async () => {
    using pair = linkPair();
    const bytes = new Uint8Array(MIB).fill(7);
    pair.a.post(call(1, bytes.subarray(8), { nested: bytes }, new Uint8Array(10)));
    pair.a.post(call(2, 'small'));
    const frames = await pair.inboxB.first(2);
    const large = frames.find(([, id]) => id === 1) as unknown[];
    const small = frames.find(([, id]) => id === 2) as unknown[];
    const [first, { nested }, other] = large.slice(6) as [Uint8Array, { nested: Uint8Array }, Uint8Array];
    expect(pair.b.largeOf(large)).toEqual([first.buffer]);
    expect(nested.buffer).toBe(first.buffer);
    expect(other.buffer).not.toBe(first.buffer);
    expect(pair.b.largeOf(small)).toBe(undefined);
  });

  test('arrive whole, whatever they consist of', async () => {
    using pair = linkPair();
    const picture = new Uint8Array(3 * MIB).map((_, index) => index * 7);
    const records = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `record ${id}` }));
    pair.a.post(call(0, { picture, also: picture.subarray(5, 9) }, records));
    pair.a.post([FRAME.result, 3, 'é'.repeat(MIB)]);
    const [first, second] = (await pair.inboxB.first(2)) as [unknown[], unknown[]];
    const [{ picture: arrived, also }, list] = (first[1] === 0 ? first : second).slice(6) as [
      { picture: Uint8Array; also: Uint8Array },
      unknown[],
    ];
    expect(Buffer.compare(arrived, picture)).toBe(0);
    expect(also.buffer).toBe(arrived.buffer);
    expect(list).toEqual(records);
    expect((first[1] === 3 ? first : second)[2]).toBe('é'.repeat(MIB));
  });

  test('are overtaken by small ones of other calls, not by those of their own', async () => {
    using pair = linkPair();
    pair.a.post([FRAME.chunk, 1, new Uint8Array(2 * MIB), 2 * MIB]);
    pair.a.post([FRAME.chunk, 1, 'behind', 6]);
    pair.a.post([FRAME.chunk, 1, new Uint8Array(MIB), MIB]);
    pair.a.post([FRAME.end, 1]);
    pair.a.post([FRAME.end, 2]);
    const frames = await pair.inboxB.first(5);
    expect(frames.map(([kind, id, value]) => [kind, id, typeof value])).toEqual([
      [FRAME.end, 2, 'undefined'],
      [FRAME.chunk, 1, 'object'],
      [FRAME.chunk, 1, 'string'],
      [FRAME.chunk, 1, 'object'],
      [FRAME.end, 1, 'undefined'],
    ]);
  });

  test('take turns: a megabyte is there before twenty are', async () => {
    using pair = linkPair();
    pair.a.post(call(0, new Uint8Array(20 * MIB)));
    pair.a.post(call(1, new Uint8Array(MIB)));
    expect((await pair.inboxB.first(2)).map(([, id]) => id)).toEqual([1, 0]);
  });

  test('keep little unsent in the socket', async () => {
    using pair = linkPair();
    pair.a.post(call(0, new Uint8Array(20 * MIB)));
    expect(pair.streams[0].writableLength).toBeLessThan(262_144 + 2 * 65_536);
    expect(pair.a.unsent).toBeGreaterThan(19 * MIB);
    await pair.inboxB.first(1);
  });

  test('that are abandoned end, and their id is free', async () => {
    using pair = linkPair();
    pair.a.post(call(0, new Uint8Array(20 * MIB)));
    pair.a.post([FRAME.chunk, 0, 'void', 4]);
    expect(pair.a.cancel(0)).toBe(true);
    expect(pair.a.cancel(0)).toBe(false);
    expect(pair.a.unsent).toBeLessThan(MIB);
    pair.a.post(call(0, 'again'));
    expect(await pair.inboxB.first(1)).toEqual([call(0, 'again')]);
  });

  test('beyond what the peer takes are refused where they are sent', async () => {
    using pair = linkPair({ peerMaxPayload: MIB });
    expect(() => pair.a.post(call(0, new Uint8Array(MIB)))).toThrow(
      expect.objectContaining({ code: 'SERVE_PAYLOAD_TOO_LARGE' }),
    );
    pair.a.post(call(1, new Uint8Array(MIB - 100)));
    expect((await pair.inboxB.first(1))[0]?.[1]).toBe(1);
  });

  test('beyond what this side takes close the link', async () => {
    const counts = new FaultCounts();
    using pair = linkPair({}, { maxPayload: MIB, counts });
    pair.a.post(call(0, new Uint8Array(MIB)));
    expect(await pair.inboxB.ended).toMatchObject({ fault: 'limit' });
    expect(counts.of('limit')).toBe(1);
    expect(pair.inboxB.received).toEqual([]);
  });
});

describe('what breaks the protocol closes the link, and is counted', () => {
  test.each([
    ['an unknown frame', [[12, 1]], 'frame'],
    ['a frame of the ledger', [[FRAME.slots, 1]], 'frame'],
    ['a handshake in the middle', [[PEER_FRAME.hello, 1]], 'frame'],
    ['an id that is too large', [[FRAME.end, 2 ** 30]], 'malformed'],
    ['an id that is no number', [[FRAME.end, 'x']], 'malformed'],
    ['a part that nobody awaits', [[PEER_FRAME.part, 1, 0]], 'malformed'],
    [
      'a part without bytes',
      [
        [PEER_FRAME.large, 1, 10, []],
        [PEER_FRAME.part, 1, 5],
      ],
      'malformed',
    ],
    ['a large frame without a head', [[PEER_FRAME.large, 1, 0, [5]]], 'malformed'],
    ['a frame with too few fields', [[PEER_FRAME.window, 1]], 'malformed'],
  ])('%s', async (_what, frames, fault) => {
    const counts = new FaultCounts();
    using pair = linkPair({}, { counts });
    for (const frame of frames) pair.a.post(frame);
    expect(await pair.inboxB.ended).toMatchObject({ fault });
    expect(counts.of(fault as 'frame')).toBe(1);
    expect(await pair.inboxA.ended).not.toBe(null);
  });

  test('security row 17: a message that is too long, before anything is reserved for it', async () => {
    using pair = linkPair();
    pair.streams[0].write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2]));
    expect(await pair.inboxB.ended).toMatchObject({ fault: 'limit' });
  });

  test('a stream that breaks off inside a message', async () => {
    using pair = linkPair();
    pair.streams[0].write(Buffer.from([0, 0, 0, 9, 0, 0, 0, 5, 0x91]));
    pair.streams[0].end();
    expect(await pair.inboxB.ended).toMatchObject({ message: 'the stream broke off' });
  });
});

test.each([1, 3, 777])('the bytes of a stream may come in pieces of %s', async (pieceBytes) => {
  using pair = linkPair({}, {}, pieceBytes);
  const bytes = new Uint8Array(20_000).map((_, index) => index * 3);
  pair.a.post(call(0, bytes));
  pair.a.post(call(1, 'x'));
  const frames = [...(await pair.inboxB.first(2))].sort(([, a], [, b]) => (a as number) - (b as number));
  expect(frames).toEqual([call(0, bytes), call(1, 'x')]);
});
