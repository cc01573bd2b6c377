import { describe, expect, test } from 'vitest';
import { LinkedChannel } from '../../../test/support/fleet/linked-channel.ts';
import { RecordedCall } from '../../../test/support/link.ts';
import { RESERVED } from '../../load/load-table.ts';
import { machineTime, useTime } from '../../time/clock.ts';
import { loop } from '../../time/loop.ts';

describe('a channel to a peer', () => {
  test('sends no more calls than the window says, one before the first word of the peer', () => {
    const peer = new LinkedChannel();
    expect([peer.send(), peer.send()]).toEqual([expect.anything(), undefined]);
    peer.open(3);
    expect([peer.send(), peer.send(), peer.send()].filter((call) => call !== undefined)).toHaveLength(2);
    // One call of the window is beyond the free places.
    peer.open(6);
    expect([peer.channel.free, peer.channel.room()]).toEqual([2, RESERVED.ok]);
  });

  test('has no room while more than 8 MiB of the link are unsent, nor while the peer is down', () => {
    const peer = new LinkedChannel();
    peer.open(5);
    peer.unsent = 8_388_609;
    expect(peer.channel.room()).toBe(RESERVED.full);
    peer.unsent = 0;
    expect(peer.channel.room()).toBe(RESERVED.ok);
    peer.isDown = true;
    expect(peer.channel.room()).toBe(RESERVED.gone);
  });

  test('sends calls beyond the window that have to run there, until one is refused', () => {
    const peer = new LinkedChannel();
    peer.describe(3);
    const room = (): number => peer.channel.reserveToWait();
    expect([peer.send(), peer.send()]).toEqual([expect.anything(), undefined]);
    expect([room(), room(), room()]).toEqual([RESERVED.ok, RESERVED.ok, RESERVED.full]);
    peer.channel.unreserve();
    peer.refuse(0, 1);
    expect(room()).toBe(RESERVED.full);
    peer.channel.unreserve();
    peer.open(1);
    expect([room(), room()]).toEqual([RESERVED.ok, RESERVED.ok]);
  });

  test('sends them beyond the window again once the refused calls have had their turns', () => {
    const peer = new LinkedChannel();
    peer.describe(9);
    const waiting: number[] = [];
    // Others wait as well, and take all the room that there is.
    peer.channel.onFreed(() => {
      while (waiting.length > 0 && peer.send() !== undefined) waiting.pop();
    });
    const beyond = (): number => peer.channel.reserveToWait();
    peer.send();
    for (const id of [1, 2]) {
      expect(beyond()).toBe(RESERVED.ok);
      peer.channel.send(new RecordedCall('first', []));
      waiting.push(id);
    }
    for (const id of [1, 2]) peer.refuse(id, 1);
    expect([waiting.length, beyond()]).toEqual([2, RESERVED.full]);
    peer.open(2);
    expect([waiting.length, beyond()]).toEqual([1, RESERVED.full]);
    peer.open(3);
    expect([waiting.length, peer.channel.room(), beyond()]).toEqual([0, RESERVED.full, RESERVED.ok]);
    peer.channel.unreserve();
    expect(peer.declined).toBe(0);
  });

  test('says whether a call would wait at the peer, which it does not know before the first word', () => {
    const peer = new LinkedChannel();
    const { channel } = peer;
    const state = (): [number, boolean] => [channel.room(), channel.wouldWait];
    expect(state()).toEqual([RESERVED.ok, false]);
    peer.open(1);
    expect(state()).toEqual([RESERVED.ok, true]);
    peer.open(2);
    expect(state()).toEqual([RESERVED.ok, false]);
    peer.send();
    expect(state()).toEqual([RESERVED.ok, true]);
    peer.send();
    expect(state()).toEqual([RESERVED.full, true]);
    // What a turn is for may be a place where calls wait.
    peer.refuse(1, 1);
    channel.onFreed(() => {});
    channel.mindWaiting(() => true);
    peer.open(2);
    expect(state()).toEqual([RESERVED.ok, true]);
    channel.unlinked(undefined);
    expect(state()).toEqual([RESERVED.ok, false]);
  });

  test('counts the calls of others for a second after the last word of the peer, which tells an idle caller little', () => {
    const clock = { at: 0 };
    using _time = useTime({ ...machineTime, now: () => clock.at });
    const peer = new LinkedChannel();
    const { channel } = peer;
    peer.describe(8);
    expect(channel.ongoing).toBe(8);
    clock.at = 5_000;
    expect(channel.ongoing).toBe(8);
    peer.open(3);
    expect([channel.ongoing, channel.free]).toEqual([6, 2]);
    clock.at = 6_000;
    expect(channel.ongoing).toBe(6);
    clock.at = 6_001;
    expect([channel.ongoing, channel.free]).toEqual([0, 2]);
    // The answer of a call comes with a new window.
    peer.send();
    expect(channel.ongoing).toBe(7);
    peer.open(9);
    expect(channel.ongoing).toBe(1);
    channel.unlinked(undefined);
    clock.at = 9_000;
    expect(channel.ongoing).toBe(8);
  });

  test('tells all who wait for the end of its calls', async () => {
    const peer = new LinkedChannel();
    const { channel } = peer;
    peer.open(5);
    peer.send();
    expect(channel.reserve()).toBe(RESERVED.ok);
    let ends = 0;
    const all = [channel.retire(), channel.finish()].map((end) => end.then(() => ends++));
    peer.answer(0);
    await Promise.resolve();
    expect(ends).toBe(0);
    channel.unreserve();
    await Promise.all(all);
    expect(ends).toBe(2);
  });

  test('gives a refused call back', () => {
    const peer = new LinkedChannel();
    const call = peer.send();
    loop.flush();
    peer.refuse(0, 0);
    expect(call?.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
    expect([peer.channel.outstanding, peer.channel.room()]).toEqual([0, RESERVED.full]);
    expect(peer.counts).toMatchObject({ calls: 1, refused: 1 });
    expect(peer.counts.sentBytes).toBeGreaterThan(0);
  });

  test('gives a call back that the peer had not read when it closed the link in order', () => {
    const peer = new LinkedChannel();
    peer.open(4);
    const [answered, unread] = [peer.send(), peer.send()];
    loop.flush();
    peer.answer(0);
    peer.channel.unlinked(undefined);
    expect(answered?.endings).toHaveLength(1);
    expect(unread?.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
    expect(peer.channel.outstanding).toBe(0);
    peer.relink();
    const lost = peer.send();
    loop.flush();
    peer.channel.unlinked(new Error('the connection was reset'));
    expect(lost?.endings).toMatchObject([{ type: 'orphaned', started: true }]);
  });

  test('declines the turn of a refused call that went elsewhere, once', () => {
    const peer = new LinkedChannel();
    peer.send();
    peer.refuse(0, 0);
    expect(peer.declined).toBe(0);
    peer.open(1);
    peer.open(2);
    expect(peer.declined).toBe(1);
  });

  test('takes the turn where a call waits for it', () => {
    const peer = new LinkedChannel();
    peer.channel.onFreed(() => peer.send());
    peer.send();
    peer.refuse(0, 0);
    peer.open(1);
    expect([peer.channel.outstanding, peer.declined]).toEqual([1, 0]);
  });

  test('leaves a turn to calls that wait in other threads', () => {
    const peer = new LinkedChannel();
    let waiting = 1;
    peer.channel.mindWaiting(() => waiting > 0);
    peer.send();
    peer.refuse(0, 0);
    peer.open(1);
    expect(peer.declined).toBe(0);
    waiting = 0;
    peer.open(1);
    expect(peer.declined).toBe(1);
  });

  test('waits for no turn over another link', () => {
    const peer = new LinkedChannel();
    peer.send();
    peer.refuse(0, 0);
    peer.channel.unlinked(undefined);
    peer.channel.linked(peer.link);
    peer.open(2);
    expect(peer.declined).toBe(0);
  });
});
