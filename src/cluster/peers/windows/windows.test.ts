import { describe, expect, test } from 'vitest';
import { World } from '../../../../test/support/fleet/world.ts';
import { worldTime } from '../../../../test/support/fleet/world-time.ts';
import { CallerWindow } from './caller-window.ts';
import type { HostCaller } from './host-caller.ts';
import { HostWindows } from './host-windows.ts';

const RTT_MS = 2;
/** Time after which callers are told of a place that is still free. */
const NEWS_MS = 20;
/** Two round trips and 5 ms. */
const KEPT_MS = 2 * RTT_MS + 5;

/** A deployment whose places the test takes and frees. */
class Host {
  readonly world = new World(1);
  readonly places: number;
  free: number;
  awaited = 0;
  readonly windows: HostWindows;

  constructor(places: number) {
    this.places = places;
    this.free = places;
    this.windows = new HostWindows(
      this,
      worldTime(this.world),
      () => this.awaited++,
      () => this.giveBack(),
    );
  }

  join(): Caller {
    const told: number[] = [];
    return {
      told,
      at: this.windows.join(
        (window) => told.push(window),
        () => RTT_MS,
      ),
    };
  }

  /** A call arrives, and begins if a place is free. */
  call(caller: Caller): 'runs' | 'landed' | 'refused' {
    const { at } = caller;
    if (!this.windows.admit(at)) {
      this.windows.refusedWith(at);
      return 'refused';
    }
    if (this.free === 0) {
      this.landed.push(caller);
      return 'landed';
    }
    this.free--;
    this.windows.begun(at);
    return 'runs';
  }

  /** Calls that landed here, by their callers; they go back when long calls hold the places. */
  readonly landed: Caller[] = [];
  returned = 0;

  giveBack(): void {
    for (const { at } of this.landed.splice(0)) {
      this.windows.givenBack(at);
      this.windows.ended(at, false);
      this.returned++;
    }
  }

  /** A running call of the caller ends; a landed one, if `next` has any, takes its place. */
  end({ at }: Caller, next?: Caller): void {
    this.free++;
    this.windows.ended(at, true);
    if (next !== undefined) {
      this.landed.splice(this.landed.indexOf(next), 1);
      this.free--;
      this.windows.begun(next.at);
    }
    this.windows.freed();
  }
}

interface Caller {
  readonly at: HostCaller;
  readonly told: number[];
}

/** One place, a busy caller, and two others whose calls were refused; it is the turn of the first of them. */
function firstTurn(): { host: Host; busy: Caller; one: Caller; other: Caller } {
  const host = new Host(1);
  const [busy, one, other] = [host.join(), host.join(), host.join()];
  expect([host.call(busy), host.call(busy)]).toEqual(['runs', 'landed']);
  expect([host.call(one), host.call(other)]).toEqual(['refused', 'refused']);
  host.end(busy, busy);
  expect(one.told.at(-1)).toBe(1);
  return { host, busy, one, other };
}

describe('windows at the host', () => {
  test('a window is the calls of the caller here, the free places, and one more', () => {
    const host = new Host(4);
    const [one, other] = [host.join(), host.join()];
    expect(one.told).toEqual([5]);
    expect([host.call(one), host.call(one), host.call(other)]).toEqual(['runs', 'runs', 'runs']);
    expect([host.windows.changed(one.at), host.windows.changed(other.at)]).toEqual([4, 3]);
    expect(host.windows.changed(one.at)).toBe(undefined);
  });

  test('a caller that may send many more calls is told of great changes only', () => {
    const host = new Host(100);
    const [one, other] = [host.join(), host.join()];
    expect(one.told).toEqual([101]);
    for (let call = 0; call < 25; call++) host.call(other);
    expect(host.windows.changed(one.at)).toBe(undefined);
    host.call(other);
    expect(host.windows.changed(one.at)).toBe(75);
    for (let call = 26; call < 96; call++) host.call(other);
    expect(host.windows.changed(one.at)).toBe(5);
    // Fewer than four are left soon, so that each counts.
    for (let call = 96; call < 98; call++) host.call(other);
    expect(host.windows.changed(one.at)).toBe(3);
    host.call(other);
    expect(host.windows.changed(one.at)).toBe(2);
  });

  test('half as many calls as there are places land, the next one is refused', () => {
    const host = new Host(4);
    const caller = host.join();
    const outcomes = Array.from({ length: 8 }, () => host.call(caller));
    expect(outcomes).toEqual(['runs', 'runs', 'runs', 'runs', 'landed', 'landed', 'refused', 'refused']);
    expect(host.windows.landed).toBe(2);
    const single = new Host(1);
    const alone = single.join();
    expect([single.call(alone), single.call(alone), single.call(alone)]).toEqual([
      'runs',
      'landed',
      'refused',
    ]);
  });

  test('a caller with a small window and long calls learns at once that places are free', () => {
    const host = new Host(2);
    const other = host.join();
    host.call(other);
    host.call(other);
    const caller = host.join();
    expect(caller.told).toEqual([1]);
    host.end(other);
    host.end(other);
    expect(host.call(caller)).toBe('runs');
    expect(caller.told).toEqual([1, 3]);
  });

  test('a refused caller gets the next room, and no other caller takes it', () => {
    const host = new Host(1);
    const [heavy, light] = [host.join(), host.join()];
    expect([host.call(heavy), host.call(heavy)]).toEqual(['runs', 'landed']);
    expect(host.call(light)).toBe('refused');
    host.end(heavy, heavy);
    expect(light.told.at(-1)).toBe(1);
    expect(host.windows.changed(heavy.at)).toBe(1);
    expect(host.call(heavy)).toBe('refused');
    expect(host.call(light)).toBe('landed');
  });

  test('a caller whose call was given back is told its window, at the latest when others had their turns', () => {
    const host = new Host(1);
    const [one, other] = [host.join(), host.join()];
    expect([host.call(one), host.call(one), host.call(other)]).toEqual(['runs', 'landed', 'refused']);
    host.windows.givenBack(one.at);
    host.windows.ended(one.at, false);
    host.windows.givenBack(one.at);
    host.windows.ended(one.at, true);
    // It is the turn of the other one.
    expect(host.windows.changed(one.at)).toBe(undefined);
    host.free++;
    host.windows.freed();
    expect(host.call(other)).toBe('runs');
    host.end(other);
    expect(one.told).toEqual([2, 1]);
  });

  test('a caller that used its turn is told of the places that come free once the others have had theirs', () => {
    const { host, busy, one, other } = firstTurn();
    expect(host.call(one)).toBe('landed');
    host.end(busy, one);
    // The window is as the caller knows it, while it is the turn of the other one.
    expect(host.windows.changed(one.at)).toBe(undefined);
    host.windows.freed();
    host.windows.declined(other.at);
    expect(one.told.at(-1)).toBe(2);
  });

  test('a call that comes after its turn is not refused again, since a large one would be sent again and again', () => {
    const { host, one, other } = firstTurn();
    host.world.run(KEPT_MS);
    expect(host.call(other)).toBe('landed');
    expect([host.call(one), host.call(one)]).toEqual(['landed', 'refused']);
  });

  test('each refused call has a turn, and callers take turns', () => {
    const host = new Host(1);
    const callers = [host.join(), host.join()] as const;
    const [heavy, light] = callers;
    host.call(heavy);
    host.call(heavy);
    for (let call = 0; call < 3; call++) host.call(heavy);
    host.call(light);
    const turns: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const before = callers.map(({ told }) => told.length);
      // One call ends, and the landed one takes its place: there is room for one more to land.
      host.end(heavy, heavy);
      const next = callers.findIndex(({ told }, index) => told.length > (before[index] ?? 0));
      turns.push(next === 0 ? 'heavy' : 'light');
      expect(host.call(callers[next] as Caller)).toBe('landed');
    }
    expect(turns).toEqual(['heavy', 'light', 'heavy', 'heavy']);
  });

  test('room that its caller does not use goes to the next one after two round trips and 5 ms', () => {
    const host = new Host(1);
    const [heavy, gone, next] = [host.join(), host.join(), host.join()];
    host.call(heavy);
    host.call(heavy);
    host.call(gone);
    host.call(next);
    host.end(heavy, heavy);
    expect(gone.told.at(-1)).toBe(1);
    host.world.run(KEPT_MS - 0.1);
    expect(next.told.at(-1)).toBe(2);
    expect(next.at.told).toBe(0);
    host.world.run(0.2);
    expect(next.told.at(-1)).toBe(1);
    expect(host.call(next)).toBe('landed');
  });

  test('room that its caller declines, or whose caller leaves, goes to the next one at once', () => {
    const host = new Host(1);
    const [heavy, ...waiting] = [host.join(), host.join(), host.join(), host.join()] as const;
    host.call(heavy);
    host.call(heavy);
    for (const caller of waiting) host.call(caller);
    host.end(heavy, heavy);
    const [first, second, third] = waiting;
    expect(first.at.told).toBe(1);
    host.windows.declined(first.at);
    expect(second.at.told).toBe(1);
    host.windows.leave(second.at);
    expect(third.at.told).toBe(1);
    expect(host.call(third)).toBe('landed');
  });

  test('callers that know of no room are awaited, and told of it when it comes', () => {
    const host = new Host(1);
    const [heavy, light, idle] = [host.join(), host.join(), host.join()];
    expect(host.windows.isAwaited).toBe(false);
    host.call(heavy);
    host.call(heavy);
    host.call(light);
    expect([host.windows.isAwaited, host.awaited]).toEqual([true, 1]);
    host.windows.changed(idle.at);
    expect(idle.at.told).toBe(0);
    host.end(heavy, heavy);
    expect(idle.at.told).toBe(0);
    host.windows.declined(light.at);
    expect(idle.at.told).toBe(1);
  });

  test('a caller that knows of no free place is told of one that stays free, and the host is woken no more often', () => {
    const host = new Host(2);
    const [heavy, long] = [host.join(), host.join()];
    host.call(heavy);
    host.call(long);
    const idle = host.join();
    expect(idle.told).toEqual([1]);
    host.end(heavy);
    expect(host.windows.isAwaited).toBe(false);
    // The place is taken again at once.
    expect(host.call(heavy)).toBe('runs');
    host.world.run(NEWS_MS);
    expect([idle.told, host.windows.isAwaited]).toEqual([[1], true]);
    host.world.run(1_000);
    host.end(heavy);
    expect([idle.told, host.windows.isAwaited]).toEqual([[1], false]);
    host.world.run(NEWS_MS);
    expect([idle.told, host.windows.isAwaited]).toEqual([[1, 2], false]);
  });

  test('one caller after the other is told of a free place, which they would all take', () => {
    const host = new Host(1);
    const busy = host.join();
    host.call(busy);
    const idle = [host.join(), host.join(), host.join()];
    host.end(busy);
    const informed = (): number[] => idle.map(({ told }) => told.at(-1) as number);
    host.world.run(NEWS_MS);
    expect(informed()).toEqual([2, 1, 1]);
    host.world.run(NEWS_MS);
    expect(informed()).toEqual([2, 2, 1]);
    expect(host.call(idle[0] as Caller)).toBe('runs');
    host.world.run(1_000);
    expect(informed()).toEqual([2, 2, 1]);
    host.end(idle[0] as Caller);
    host.world.run(1_000);
    expect(informed()).toEqual([2, 2, 2]);
    expect(host.windows.isAwaited).toBe(false);
  });

  test('a landed call that ends without having begun gives its room back', () => {
    const host = new Host(1);
    const caller = host.join();
    host.call(caller);
    host.call(caller);
    host.windows.ended(caller.at, false);
    expect([host.windows.landed, caller.at.inFlight]).toEqual([0, 1]);
    expect(host.call(caller)).toBe('landed');
  });

  test('landed calls go back when long calls hold all places, and none lands until calls begin more often', () => {
    const host = new Host(2);
    const [busy, other] = [host.join(), host.join()];
    for (let calls = 0; calls < 2; calls++) expect(host.call(busy)).toBe('runs');
    expect(host.call(other)).toBe('landed');
    // A call begins now and then: the other one waits its turn.
    host.world.run(200);
    host.end(busy, other);
    expect(host.call(other)).toBe('landed');
    host.world.run(250);
    expect(host.returned).toBe(0);
    host.world.run(500);
    expect(host.returned).toBe(1);
    expect(host.windows.landed).toBe(0);
    // Its instance may offer it again, but it is refused, and gets the next place.
    expect(host.call(other)).toBe('refused');
    host.world.run(10_000);
    host.end(busy);
    expect(host.call(other)).toBe('runs');
    expect(host.call(busy)).toBe('refused');
    host.end(other);
    expect(host.call(busy)).toBe('runs');
    // Two calls have begun within 250 ms.
    expect(host.call(other)).toBe('landed');
  });

  test('nobody is told anything after the end, and no timer is left', () => {
    const host = new Host(1);
    const [heavy, light] = [host.join(), host.join()];
    host.call(heavy);
    host.call(heavy);
    host.call(light);
    host.end(heavy, heavy);
    const told = light.told.length;
    host.windows.close();
    host.world.run(1_000);
    host.windows.freed();
    expect(light.told.length).toBe(told);
    expect(host.windows.isAwaited).toBe(false);
  });
});

describe('windows at the caller', () => {
  test('nothing is sent before the first word of the host, nor beyond it', () => {
    const window = new CallerWindow();
    expect(window.hasRoom(0)).toBe(false);
    expect(window.told(2, 0)).toBe(true);
    expect([0, 1, 2].map((underWay) => window.hasRoom(underWay))).toEqual([true, true, false]);
    expect(window.told(2, 1)).toBe(false);
    expect([window.free(0), window.free(2), window.free(3)]).toEqual([2, 0, 0]);
    expect(window.told(3, 2)).toBe(true);
    expect(window.told(1, 1)).toBe(false);
    expect(window.hasRoom(1)).toBe(false);
  });

  test('a caller declines a turn once, if no call took it', () => {
    const window = new CallerWindow();
    window.told(1, 0);
    window.refused(0);
    expect(window.declines(0)).toBe(false);
    expect(window.told(1, 0)).toBe(true);
    expect([window.declines(0), window.declines(0)]).toEqual([true, false]);
    window.refused(0);
    window.told(1, 0);
    expect(window.declines(1)).toBe(false);
  });

  test('the end of a link ends the wait for a turn', () => {
    const window = new CallerWindow();
    window.refused(0);
    window.reset(1);
    expect([window.size, window.declines(0)]).toEqual([1, false]);
  });
});
