import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinkedChannel } from '../../../test/support/fleet/linked-channel.ts';
import { RecordedCall } from '../../../test/support/link.ts';
import { CANCEL_CODE, FRAME } from '../../channel/frames.ts';
import { loop } from '../../time/loop.ts';
import { NO_ENCODING } from '../../values/transfer.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';

const BYTES = 100_000;

/** A call with a large argument, the caller's own buffer, and the copy that the call carries. */
function largeCall(fill: number): { call: RecordedCall; own: Uint8Array; copy: Uint8Array } {
  const own = new Uint8Array(BYTES).fill(fill);
  const call = new RecordedCall('first', [own]);
  return { call, own, copy: call.args[0] as Uint8Array };
}

test('memory of arguments is freed once the link has written it and the peer has answered, in any order', () => {
  for (const isWrittenFirst of [true, false]) {
    const peer = new LinkedChannel();
    peer.open(2);
    const { call, own, copy } = largeCall(7);
    peer.send(call);
    const steps = [() => peer.write(), () => peer.answer(0)];
    if (!isWrittenFirst) steps.reverse();
    steps[0]?.();
    expect(copy.byteLength).toBe(BYTES);
    steps[1]?.();
    expect([copy.byteLength, own.byteLength]).toEqual([0, BYTES]);
    expect(call.endings).toEqual([{ type: 'result', value: 'answer' }]);
  }
});

test('memory of arguments stays while the link is lost or the call is cancelled', () => {
  const peer = new LinkedChannel();
  peer.open(2);
  const [lost, cancelled] = [largeCall(1), largeCall(2)];
  peer.send(lost.call);
  peer.send(cancelled.call);
  peer.channel.cancel(cancelled.call, 0);
  peer.channel.unlinked(undefined);
  peer.write();
  expect([lost.copy[0], cancelled.copy[0]]).toEqual([1, 2]);
});

describe('when the link ends', () => {
  const started = (call: RecordedCall): boolean[] =>
    call.endings.map((ending) => ending.type !== 'orphaned' || ending.started);

  test('calls that it has not sent completely go elsewhere, with their memory', () => {
    const peer = new LinkedChannel();
    peer.open(4);
    const [whole, partly, small] = [largeCall(1), largeCall(2), new RecordedCall('first', [])];
    peer.send(whole.call);
    // Its first part makes the socket busy.
    peer.partBytes = 300_000;
    peer.send(partly.call);
    peer.send(small);
    loop.flush();
    // Nothing has been answered, and a call of this turn has not left the link.
    const collected = new RecordedCall('first', []);
    peer.send(collected);
    peer.link.destroy(new Error('the connection broke'));
    expect([whole.call, partly.call, small, collected].map(started)).toEqual([
      [true],
      [false],
      [true],
      [false],
    ]);
    expect([partly.copy[0], partly.call.transfer?.[0]?.detached]).toEqual([2, false]);
  });

  test('the socket reads no memory of calls any more, which may move to another thread', () => {
    for (const isWritten of [true, false]) {
      const peer = new LinkedChannel();
      peer.open(2);
      peer.send(largeCall(1).call);
      if (isWritten) peer.write();
      peer.link.abandon();
      expect(peer.isDestroyed).toBe(!isWritten);
    }
  });

  test('calls that wait for a link go elsewhere when the channel is closed, with the bodies that they upload', () => {
    const peer = new LinkedChannel();
    peer.channel.unlinked(undefined);
    const call = new RecordedCall('first', [new Uint8Array(BYTES)]);
    call.meta = { upload: 'eager' };
    peer.send(call);
    peer.channel.upload(call, 'piece', { ...NO_ENCODING, bytes: 5 });
    peer.channel.endUpload(call);
    expect(call.endings).toEqual([]);
    peer.channel.close(new Error('the peer is gone'));
    expect(call.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
    expect(call.uploaded).toEqual([{ value: 'piece', bytes: 5 }, undefined]);
  });

  test('memory of a call whose replica the peer has lost stays for another attempt', () => {
    const peer = new LinkedChannel();
    peer.open(2);
    const { call, copy } = largeCall(3);
    peer.send(call);
    peer.write();
    peer.link.frames([[FRAME.lost, 0, 'it died', undefined]]);
    expect(started(call)).toEqual([true]);
    expect(copy[0]).toBe(3);
  });
});

test('a call that is given back again and again still carries its bytes', () => {
  const step = fc.constantFrom('write', 'refuse', 'move', 'answer');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const peer = new LinkedChannel();
      const { call, own, copy } = largeCall(9);
      // The caller may change its buffer once the call is made.
      own.fill(0);
      /** Whether each copy that was sent has been written when it was given back. */
      let [isUnwritten, isWritten, isAnswered] = [false, false, false];
      const send = (): void => {
        isWritten = false;
        peer.open(2);
        peer.send(call);
      };
      const step = {
        write(): void {
          peer.write();
          isWritten = true;
        },
        answer(): void {
          peer.link.frames([[FRAME.error, 0, 'no', undefined]]);
          isAnswered = true;
        },
        refuse: (): void => giveBack(PEER_FRAME.refused),
        move: (): void => giveBack(PEER_FRAME.moved),
      };
      const giveBack = (kind: number): void => {
        isUnwritten ||= !isWritten;
        peer.link.frames([[kind, 0, 0]]);
        expect(call.endings.at(-1)).toMatchObject({ type: 'orphaned', started: false });
        send();
      };
      send();
      for (const next of steps) {
        if (isAnswered && next !== 'write') continue;
        step[next]();
        const isFree = isWritten && isAnswered && !isUnwritten;
        expect(copy.byteLength).toBe(isFree ? 0 : BYTES);
        expect(isFree || copy.every((byte) => byte === 9)).toBe(true);
      }
      expect(own.byteLength).toBe(BYTES);
    }),
  );
});

test('what is left of the upload of a call that was answered does not drop the next call with its id', () => {
  const peer = new LinkedChannel();
  peer.open(2);
  // The socket takes no parts.
  peer.unsent = 1_000_000;
  const answered = new RecordedCall('first', []);
  answered.meta = { upload: 'eager' };
  peer.send(answered);
  peer.channel.upload(answered, new Uint8Array(BYTES), { ...NO_ENCODING, bytes: BYTES });
  peer.answer(0);
  const next = peer.send();
  if (next === undefined) throw new Error('the channel has no room');
  peer.channel.cancel(next, CANCEL_CODE.cancelled);
  loop.flush();
  const of = (kind: number): boolean =>
    [FRAME.call, PEER_FRAME.abandon, FRAME.cancel].some((one) => one === kind);
  const kinds = peer.frames.map(([kind]) => kind as number).filter(of);
  // A call that was dropped would hold its place for ever.
  expect(kinds).toEqual([PEER_FRAME.abandon, FRAME.call, FRAME.cancel]);
});
