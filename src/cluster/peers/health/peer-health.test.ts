import { describe, expect, test, vi } from 'vitest';
import { World } from '../../../../test/support/fleet/world.ts';
import { worldTime } from '../../../../test/support/fleet/world-time.ts';
import { PeerHealth, type PeerStanding } from './peer-health.ts';

/** Peers whose links a test opens and breaks. */
class Peers {
  readonly world = new World(1);
  /** Names of peers that returned, in order. */
  readonly returned: string[] = [];
  changes = 0;
  readonly health = new PeerHealth(worldTime(this.world), () => this.changes++);
  readonly all: PeerStanding[];

  constructor(count: number) {
    this.all = Array.from({ length: count }, (_, index) => {
      const name = `peer-${index}`;
      return this.health.follow(() => this.returned.push(name));
    });
  }

  at(index: number): PeerStanding {
    return this.all[index] as PeerStanding;
  }

  /** Links to the peer open and break. @param links number of links @param heldMs time for which each holds */
  flap(index: number, links: number, heldMs = 10): void {
    for (let link = 0; link < links; link++) {
      this.health.opened(this.at(index));
      this.world.run(heldMs);
      this.health.closed(this.at(index), true);
    }
  }

  /** The peer cannot be reached. */
  refuse(index: number, times: number): void {
    for (let time = 0; time < times; time++) this.health.failed(this.at(index));
  }

  get out(): string[] {
    return this.all.filter(({ isOut }) => isOut).map(({ name }) => name);
  }
}

describe('the health of peers', () => {
  test('a peer that cannot be reached is out until it can, and is reported with the reason', () => {
    const peers = new Peers(3);
    peers.refuse(0, 5);
    expect([peers.out, peers.health.ejections, peers.changes]).toEqual([['peer-0'], 1, 1]);
    expect(peers.health.ejectionOf(peers.at(0))).toMatchObject({ cause: 'unreachable', until: 30_000 });
    expect(peers.health.ejectionOf(peers.at(1))).toBe(undefined);
    peers.health.opened(peers.at(0));
    expect([peers.out, peers.returned, peers.changes]).toEqual([[], ['peer-0'], 2]);
  });

  test('a peer whose links break again and again is out over open links, until one has held for 10 s', () => {
    const peers = new Peers(3);
    peers.flap(0, 5);
    peers.health.opened(peers.at(0));
    peers.world.run(9_999);
    expect([peers.out, peers.returned]).toEqual([['peer-0'], []]);
    peers.world.run(2);
    expect([peers.out, peers.returned]).toEqual([[], ['peer-0']]);
  });

  test('or until its ejection has taken its time', () => {
    const peers = new Peers(3);
    peers.flap(0, 5);
    for (let second = 0; second < 29; second++) peers.flap(0, 1, 1_000);
    expect(peers.out).toEqual(['peer-0']);
    peers.health.opened(peers.at(0));
    peers.world.run(2_000);
    expect(peers.returned).toEqual(['peer-0']);
  });

  test('links that were closed in order say nothing about a peer', () => {
    const peers = new Peers(3);
    for (let link = 0; link < 20; link++) {
      peers.health.opened(peers.at(0));
      peers.health.closed(peers.at(0), false);
    }
    expect([peers.out, peers.health.ejections]).toEqual([[], 0]);
  });

  test('nobody is out while fewer than half of the peers are healthy', () => {
    const peers = new Peers(4);
    peers.flap(0, 5);
    peers.flap(1, 5);
    expect(peers.out).toEqual(['peer-0', 'peer-1']);
    peers.refuse(2, 1);
    expect([peers.out, peers.returned]).toEqual([[], ['peer-0', 'peer-1']]);
  });

  test('a peer that returned in a panic stays while its link holds', () => {
    const peers = new Peers(4);
    peers.flap(0, 5);
    peers.flap(1, 5);
    peers.health.opened(peers.at(0));
    peers.refuse(2, 1);
    peers.health.opened(peers.at(2));
    // The panic is over. The link to one of the peers works, and there is none to the other.
    expect(peers.out).toEqual(['peer-1']);
    peers.health.closed(peers.at(0), true);
    expect(peers.out).toEqual(['peer-0', 'peer-1']);
  });

  test('a peer that is gone counts no longer, and leaves no timer', () => {
    const peers = new Peers(2);
    peers.flap(0, 5);
    expect(peers.out).toEqual(['peer-0']);
    peers.health.forget(peers.at(0));
    peers.world.run(100_000);
    expect(peers.returned).toEqual([]);
    peers.refuse(1, 5);
    expect(peers.at(1).isOut).toBe(false);
  });

  test('each change looks at all peers a fixed number of times, however many there are', () => {
    const passes = (count: number): number => {
      const peers = new Peers(count);
      peers.flap(0, 5);
      for (const standing of peers.all) peers.health.opened(standing);
      peers.world.run(11_000);
      const values = vi.spyOn(Map.prototype, 'values');
      const entries = vi.spyOn(Map.prototype, Symbol.iterator);
      peers.refuse(1, 1);
      const passes = values.mock.calls.length + entries.mock.calls.length;
      values.mockRestore();
      entries.mockRestore();
      return passes;
    };
    expect(passes(50)).toBe(passes(5));
  });
});
