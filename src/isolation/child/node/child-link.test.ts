import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { streamPair } from '../../../../test/support/wire/pair.ts';
import type { Intake } from '../../../channel/call-intake.ts';
import { FRAME } from '../../../channel/frames.ts';
import type { InboundCall } from '../../../channel/inbound-call.ts';
import { callsAsJson, callsWithParts } from '../../../channel/json/calls-as-json.ts';
import { withoutParts } from '../../../channel/json/json-batch.ts';
import { ReplicaChannel } from '../../../channel/replica-channel.ts';
import { NO_LEDGER } from '../../../channel/start-ledger.ts';
import { now } from '../../../time/clock.ts';
import { loop } from '../../../time/loop.ts';
import { MARK } from '../../../values/marks.ts';
import { NO_ENCODING } from '../../../values/transfer.ts';
import { ChildLink, LANE } from './child-link.ts';
import { arePlainCalls, decodePlainCalls, encodePlainCalls } from './plain-calls.ts';

/** Two ends of a link in memory, and the events of the second one in their order. */
function linkPair(pieceBytes?: number) {
  const [near, far] = streamPair(pieceBytes);
  const events: unknown[] = [];
  const quiet = { control() {}, state() {}, closed() {} };
  const sender = new ChildLink(near, quiet);
  const receiver = new ChildLink(far, {
    control: (message) => events.push({ control: message }),
    state: (values) => events.push({ state: values }),
    arrived: () => events.push('arrived'),
    closed() {},
  });
  // A gateway passes results on as parts of batches.
  receiver.lane(LANE.toChild).onFrames((frames) => events.push({ toChild: withoutParts(frames) }));
  receiver.lane(LANE.toParent).onFrames((frames) => events.push({ toParent: frames }));
  const untilControl = async (wanted: object): Promise<unknown[]> => {
    while (!events.some((event) => isDeepStrictEqual(event, { control: wanted }))) await turn();
    return events;
  };
  return { sender, receiver, events, untilControl };
}

const call = (id: number, value: unknown): unknown[] => [FRAME.call, id, 7, 0, 1_000, 1, value];

describe('large memory', () => {
  const answer = (id: number, value: unknown): unknown[] => [FRAME.result, id, value];

  test.each([
    ['of calls to the child is freed once it is sent', LANE.toChild, call],
    ['of its results is freed once it is sent', LANE.toChild, answer],
    ['of calls that the child makes stays', LANE.toParent, call],
  ] as const)('%s', async (_what, lane, frame) => {
    const { sender, events } = linkPair(16_384);
    const bytes = new Uint8Array(1_000_000).fill(7);
    const { buffer } = bytes;
    const wanted = structuredClone(frame(1, { bytes }));
    sender.lane(lane).post(frame(1, { bytes }), undefined);
    await vi.waitUntil(() => events.some((event) => event !== 'arrived'));
    expect(events).toContainEqual(lane === LANE.toChild ? { toChild: wanted } : { toParent: wanted });
    expect(buffer.detached).toBe(lane === LANE.toChild);
  });

  test('of a result moves on with the result', async () => {
    const { sender, receiver } = linkPair();
    const received: unknown[] = [];
    receiver.lane(LANE.toChild).onFrames((frames) => received.push(...frames));
    sender.lane(LANE.toChild).post(answer(1, { bytes: new Uint8Array(1_000_000) }), undefined);
    await vi.waitUntil(() => received.length > 0);
    const [, , value] = received as [number, number, { bytes: Uint8Array }];
    expect(receiver.largeOf(value)).toEqual([value.bytes.buffer]);
    expect(receiver.largeOf({ bytes: value.bytes })).toBeUndefined();
    expect(receiver.largeOf(1)).toBeUndefined();
  });
});

describe('plain calls', () => {
  const plain = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

  test('come back as they were, with what is undefined among them', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, fc.constant(undefined)), { maxLength: 30 }), (args) => {
        const frames = [
          FRAME.callExtra,
          1,
          7,
          0,
          0,
          args.length,
          ...args,
          'id',
          undefined,
          FRAME.result,
          2,
          'x',
        ];
        const text = encodePlainCalls({ lane: 1, state: [1, 0.5], frames });
        const bytes = Buffer.from(text ?? '');
        expect(arePlainCalls(bytes)).toBe(true);
        expect(decodePlainCalls(bytes)).toEqual({ lane: 1, state: [1, 0.5], frames });
      }),
      { seed: 16 },
    );
  });

  test.each([
    ['a number that JSON does not have', Number.NaN],
    ['a negative zero', { a: [-0] }],
    ['a bigint', 1n],
    ['something undefined within a value', { a: undefined }],
    ['a Date', new Date(0)],
    ['memory', [Uint8Array.of(1)]],
    ['a Map', new Map()],
    ['an array with names', Object.assign([1], { index: 0 })],
    ['a long text', 'x'.repeat(20_000)],
    ['a deep value', Array.from({ length: 70 }).reduce<unknown>((inner) => [inner], 1)],
  ])('are not those with %s', (_what, value) => {
    expect(encodePlainCalls({ lane: 0, state: undefined, frames: call(1, value) })).toBeUndefined();
  });

  test('that are long are told from their values: nothing is read beyond the limit, or written in vain', () => {
    const stringify = vi.spyOn(JSON, 'stringify');
    const encode = (value: unknown) =>
      encodePlainCalls({ lane: 0, state: undefined, frames: call(1, value) });
    let isRead = false;
    const value = {
      long: 'x'.repeat(20_000),
      get next() {
        isRead = true;
        return 1;
      },
    };
    expect(encode([value])).toBeUndefined();
    expect(isRead).toBe(false);
    const items = [1 / 3, -1 / 3e300, -4 / 3e6, -1e20, 2 ** 53 - 1, -999, 0];
    for (const item of [...items, false, null, '', 'text', {}, [], { a: '' }, undefined]) {
      for (let count = 100; count < 20_000; count *= 1.1) {
        const many = new Array<unknown>(Math.round(count)).fill(item);
        if (item === undefined)
          encodePlainCalls({
            lane: 0,
            state: undefined,
            frames: [FRAME.call, 1, 7, 0, 0, many.length, ...many],
          });
        else encode(many);
      }
    }
    const lengths = stringify.mock.results.map(({ value: text }) => (text as string).length);
    expect(Math.max(...lengths)).toBeLessThan(16_384);
    expect(encode(Array.from({ length: 600 }, (_, index) => index / 7))).toBeDefined();
    stringify.mockRestore();
  });

  test('are not those with marks, which mean objects by their identity', () => {
    const standIn = { name: 'TypeError' };
    const frames = [FRAME.error, 1, standIn, [standIn, MARK.error]];
    expect(encodePlainCalls({ lane: 0, state: undefined, frames })).toBeUndefined();
  });
});

describe('a link to a child', () => {
  test.each([undefined, 3])(
    'delivers all in order, whatever way it goes (pieces of %s bytes)',
    async (bytes) => {
      const { sender, untilControl } = linkPair(bytes);
      const lane = sender.lane(LANE.toChild);
      const large = new Uint8Array(200_000).fill(5);
      sender.postControl({ first: new Date(0) });
      lane.post(call(1, { x: 'ü' }), undefined);
      lane.post(call(2, new Map([[1, -0]])), undefined);
      lane.post([...call(3, large), FRAME.chunk, 3, 'behind', 6], undefined);
      lane.post([FRAME.cancel, 3, 0], undefined);
      sender.lane(LANE.toParent).post([FRAME.result, 4, undefined], undefined);
      sender.postState([1, 2]);
      sender.postControl({ last: true });
      const events = await untilControl({ last: true });
      const frames = events.flatMap((event) =>
        typeof event === 'object' && event !== null && 'toChild' in event ? (event.toChild as unknown[]) : [],
      );
      expect(frames).toEqual([
        ...call(1, { x: 'ü' }),
        ...call(2, new Map([[1, -0]])),
        ...call(3, new Uint8Array(200_000).fill(5)),
        ...[FRAME.chunk, 3, 'behind', 6],
        ...[FRAME.cancel, 3, 0],
      ]);
      expect(events.filter((event) => event === 'arrived')).toHaveLength(3);
      expect(events[0]).toEqual({ control: { first: new Date(0) } });
      expect(events).toContainEqual({ toParent: [FRAME.result, 4, undefined] });
      expect(events).toContainEqual({ state: [1, 2] });
    },
  );

  test('carries calls that are passed on unread, whole messages and parts of them', async () => {
    const { sender, untilControl } = linkPair();
    const lane = sender.lane(LANE.toChild);
    const parts = (...ids: number[]): unknown[] =>
      callsWithParts(callsAsJson(ids.flatMap((id) => call(id, { id, text: 'ü\n' }))) ?? '');
    const parsing = vi.spyOn(JSON, 'parse');
    lane.post(parts(1, 2), undefined);
    lane.post(parts(3, 4).slice(0, 7), undefined);
    lane.post([...parts(5), FRAME.cancel, 1, 0], undefined);
    lane.post([...parts(6), ...call(7, new Map())], undefined);
    sender.postControl({ last: true });
    const events = await untilControl({ last: true });
    const sent = [1, 2, 3, 5, 6].map((id) => call(id, { id, text: 'ü\n' }));
    const frames = [
      ...sent.slice(0, 4).flat(1),
      FRAME.cancel,
      1,
      0,
      ...(sent[4] ?? []),
      ...call(7, new Map()),
    ];
    expect(events.flatMap((event) => (event as { toChild?: unknown[] }).toChild ?? [])).toEqual(frames);
    // The values of the whole message are read at the other end only.
    expect(parsing.mock.calls.filter(([text]) => text.includes('"id":1'))).toHaveLength(1);
    parsing.mockRestore();
  });

  test.each([
    ['plain', 'done'],
    ['not plain', 1n],
  ])('does not say how long calls ran, which the gateway measures: %s', async (_way, answer) => {
    const { sender, receiver, untilControl } = linkPair();
    const intake: Intake = {
      loop,
      placesAtOnce: 1,
      received: () => true,
      defer: (handle) => handle(),
      offer: (arrived) => void arrived.begin(now(), true),
      streams() {},
      ended() {},
      moved() {},
      answered: () => queueMicrotask(() => sender.postControl({ answered: true })),
      release() {},
    };
    const run = (inbound: InboundCall): void => inbound.result(answer, NO_ENCODING);
    new ReplicaChannel('', sender.lane(LANE.toChild), NO_LEDGER, intake, run, () => {});
    receiver.lane(LANE.toChild).post(call(1, 'x'), undefined);
    const events = await untilControl({ answered: true });
    expect(events).toContainEqual({ toChild: [FRAME.result, 1, answer] });
  });
});
