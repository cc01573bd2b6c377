import { describe, expect, test } from 'vitest';
import { PeerEjection } from './ejection.ts';

function peers(count: number): PeerEjection {
  const ejection = new PeerEjection();
  for (let index = 0; index < count; index++) ejection.add(`peer-${index}`);
  return ejection;
}

function fail(ejection: PeerEjection, peer: string, times: number, at: number): boolean {
  let isEjected = false;
  for (let failure = 0; failure < times; failure++) isEjected = ejection.failed(peer, at);
  return isEjected;
}

describe('ejection of peers', () => {
  test('five failures of the link in a row eject a peer for 30 s', () => {
    const ejection = peers(4);
    expect(fail(ejection, 'peer-0', 4, 0)).toBe(false);
    expect(ejection.out(0).has('peer-0')).toBe(false);
    expect(fail(ejection, 'peer-0', 1, 0)).toBe(true);
    expect(ejection.out(29_999).has('peer-0')).toBe(true);
    expect(ejection.ejectionOf('peer-0')?.until).toBe(30_000);
    expect(ejection.out(30_000).has('peer-0')).toBe(false);
    expect(ejection.out(0).has('peer-1')).toBe(false);
  });

  test('a handshake that succeeds between failures starts the count again', () => {
    const ejection = peers(4);
    fail(ejection, 'peer-0', 4, 0);
    expect(ejection.proved('peer-0', 0)).toBe(false);
    expect(fail(ejection, 'peer-0', 4, 0)).toBe(false);
  });

  test('a handshake that succeeds ends an ejection', () => {
    const ejection = peers(4);
    fail(ejection, 'peer-0', 5, 0);
    expect(ejection.proved('peer-0', 1_000)).toBe(true);
    expect(ejection.out(1_000).has('peer-0')).toBe(false);
  });

  test('links that open and break soon eject a peer, and no handshake ends that', () => {
    const ejection = peers(4);
    const flap = (heldMs: number): boolean => {
      ejection.proved('peer-0', 0);
      return ejection.broke('peer-0', heldMs, 0);
    };
    expect([flap(1), flap(10), flap(100), flap(1_000)]).toEqual([false, false, false, false]);
    expect(flap(9_999)).toBe(true);
    expect(ejection.ejectionOf('peer-0')).toMatchObject({ cause: 'breaking', until: 30_000 });
    expect(ejection.proved('peer-0', 1_000)).toBe(false);
    expect(ejection.out(1_000).has('peer-0')).toBe(true);
    expect(ejection.held('peer-0', 12_000)).toBe(true);
    expect(ejection.out(12_000).has('peer-0')).toBe(false);
  });

  test('a link that held for a while makes up for those that broke before', () => {
    const ejection = peers(4);
    for (let link = 0; link < 4; link++) ejection.broke('peer-0', 1, 0);
    expect(ejection.broke('peer-0', 10_000, 0)).toBe(false);
    for (let link = 0; link < 3; link++) expect(ejection.broke('peer-0', 1, 0)).toBe(false);
    expect(ejection.broke('peer-0', 1, 0)).toBe(true);
  });

  test('further ejections take longer, up to 300 s, and time in service makes up for them', () => {
    const ejection = peers(4);
    let at = 0;
    const durations: number[] = [];
    for (let time = 0; time < 12; time++) {
      fail(ejection, 'peer-0', 5, at);
      const end = ejection.ejectionOf('peer-0')?.until ?? Number.NaN;
      durations.push((end - at) / 1_000);
      at = end;
    }
    expect(durations).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
    at += 11 * 30_000;
    fail(ejection, 'peer-0', 5, at);
    expect(ejection.ejectionOf('peer-0')?.until).toBe(at + 60_000);
  });

  test('at most half of the peers are ejected, and never the only one', () => {
    const ejection = peers(5);
    expect([0, 1, 2].map((peer) => fail(ejection, `peer-${peer}`, 5, 0))).toEqual([true, true, false]);
    const alone = peers(1);
    expect(fail(alone, 'peer-0', 100, 0)).toBe(false);
    expect(alone.out(0).has('peer-0')).toBe(false);
  });

  test('a peer that could not be ejected is ejected by its next failure once another one is back', () => {
    const ejection = peers(2);
    fail(ejection, 'peer-0', 5, 0);
    expect(fail(ejection, 'peer-1', 6, 0)).toBe(false);
    ejection.proved('peer-0', 1_000);
    expect(fail(ejection, 'peer-1', 1, 1_000)).toBe(true);
  });

  test('ejections are ignored while fewer than half of the peers are healthy', () => {
    const ejection = peers(4);
    fail(ejection, 'peer-0', 5, 0);
    fail(ejection, 'peer-1', 5, 0);
    expect(ejection.out(0).has('peer-0')).toBe(true);
    ejection.failed('peer-2', 0);
    expect(ejection.out(0).has('peer-0')).toBe(false);
    ejection.proved('peer-2', 0);
    expect(ejection.out(0).has('peer-0')).toBe(true);
  });

  test('a removed peer is unknown, and counts no longer', () => {
    const ejection = peers(3);
    fail(ejection, 'peer-0', 5, 0);
    ejection.remove('peer-0');
    expect(ejection.out(0).has('peer-0')).toBe(false);
    expect(ejection.failed('peer-0', 0)).toBe(false);
    expect(fail(ejection, 'peer-1', 5, 0)).toBe(true);
  });
});
