import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Frame, LargeReceiver } from './large-receiver.ts';
import { LargeSender, MAX_BEGUN_BYTES, PART_BYTES } from './large-sender.ts';

const MIB = 1_048_576;

/** A frame that says what it was made of. */
function read(head: Uint8Array, large: readonly ArrayBuffer[], id: number): Frame {
  return [id, Buffer.from(head).toString(), ...large.map((buffer) => Buffer.from(buffer).toString())];
}

describe('large frames', () => {
  test('of many calls arrive whole and in the order of each call, with any interleaving and aborts', () => {
    const text = fc.string({ maxLength: 30 });
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          type: fc.constant('large' as const),
          id: fc.nat(4),
          head: fc.string({ minLength: 1 }),
          binaries: fc.array(text, { maxLength: 3 }),
        }),
      },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('small' as const), id: fc.nat(4), text }) },
      { weight: 6, arbitrary: fc.record({ type: fc.constant('part' as const) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('abandon' as const), id: fc.nat(4) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [sender, receiver] = [new LargeSender(), new LargeReceiver(MIB, read)];
        const arrived = new Map<number, Frame[]>();
        const sent = new Map<number, Frame[]>();
        const log = (frames: readonly Frame[], map: Map<number, Frame[]>): void => {
          for (const frame of frames)
            map.set(frame[0] as number, [...(map.get(frame[0] as number) ?? []), frame]);
        };
        const part = (): boolean => {
          const next = sender.next();
          if (next !== undefined) log(receiver.part(next.id, next.pieces), arrived);
          return next !== undefined;
        };
        for (const one of steps) {
          if (one.type === 'part') {
            part();
          } else if (one.type === 'large') {
            const pieces = [one.head, ...one.binaries].map((piece) => Buffer.from(piece));
            receiver.announce(
              one.id,
              (pieces[0] as Buffer).length,
              pieces.slice(1).map(({ length }) => length),
            );
            sender.add(one.id, pieces);
            log([[one.id, one.head, ...one.binaries]], sent);
          } else if (one.type === 'small') {
            const frame = [one.id, one.text];
            if (receiver.isBusy(one.id)) receiver.hold(one.id, frame, 1);
            else log([frame], arrived);
            log([frame], sent);
          } else if (sender.cancel(one.id)) {
            receiver.cancel(one.id);
            // What has arrived stays; the rest is void.
            sent.set(one.id, [...(arrived.get(one.id) ?? [])]);
          }
        }
        while (part());
        expect(sender.unsent).toBe(0);
        for (const [id, frames] of sent) expect(arrived.get(id) ?? []).toEqual(frames);
      }),
      { numRuns: 500 },
    );
  });

  test('take turns by parts of 64 KiB', () => {
    const sender = new LargeSender();
    for (const id of [1, 2, 3]) sender.add(id, [new Uint8Array(10), new Uint8Array(PART_BYTES * 2)]);
    const parts = Array.from({ length: 9 }, () => sender.next());
    expect(parts.map((part) => part?.id)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
    expect(parts.map((part) => part?.bytes)).toEqual([...Array(6).fill(PART_BYTES), 10, 10, 10]);
    expect(sender.next()).toBe(undefined);
  });

  test('begin while there is room at the receiver: a sender keeps to what cuts others off', () => {
    const half = new Uint8Array(MAX_BEGUN_BYTES / 2 + 1);
    const sender = new LargeSender();
    sender.add(1, [half]);
    sender.add(2, [half]);
    const ids = new Set(Array.from({ length: 20 }, () => sender.next()?.id));
    expect([...ids]).toEqual([1]);
    const receiver = new LargeReceiver(MAX_BEGUN_BYTES, read);
    for (const id of [1, 2]) receiver.announce(id, half.length, []);
    receiver.part(1, [new Uint8Array(1)]);
    expect(() => receiver.part(2, [new Uint8Array(1)])).toThrow(expect.objectContaining({ fault: 'limit' }));
  });

  test('cost nothing before their first byte', () => {
    const receiver = new LargeReceiver(64 * MIB, read);
    const before = process.memoryUsage().arrayBuffers;
    for (let id = 0; id < 10_000; id++) receiver.announce(id, 64 * MIB, []);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB);
  });

  test('and what waits behind them are bounded', () => {
    const receiver = new LargeReceiver(64 * MIB, read);
    receiver.announce(0, 10, []);
    expect(() => {
      for (let index = 0; index < 100_000; index++) receiver.hold(0, [0], 10);
    }).toThrow(expect.objectContaining({ fault: 'limit' }));
    const other = new LargeReceiver(64 * MIB, read);
    other.announce(0, 10, []);
    expect(() => {
      for (let index = 0; index < 2_000; index++) other.hold(0, [0], 65_536);
    }).toThrow(expect.objectContaining({ fault: 'limit' }));
  });

  test('and the lengths of their announcements are bounded', () => {
    const lengths = Array<number>(100_000).fill(0);
    const receiver = new LargeReceiver(64 * MIB, read);
    expect(() => {
      for (let id = 0; id < 100; id++) receiver.announce(id, 10, lengths);
    }).toThrow(expect.objectContaining({ fault: 'limit' }));
    // Those that have ended take no room.
    const other = new LargeReceiver(64 * MIB, read);
    for (let id = 0; id < 100; id++) {
      other.announce(id, 10, lengths);
      other.cancel(id);
    }
  });
});
