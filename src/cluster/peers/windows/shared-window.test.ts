import { describe, expect, test } from 'vitest';
import { SharedWindow, type WindowUser } from './shared-window.ts';

/** A user whose calls a test makes and ends. */
class User implements WindowUser {
  underWay = 0;
  waiting = 0;
  declined = 0;
  readonly sizes: number[] = [];
  readonly hasWaiting = false;
  readonly window: SharedWindow;

  constructor(window: SharedWindow) {
    this.window = window;
    window.join(this);
  }

  call(): boolean {
    const isTaken = this.window.take(this);
    if (isTaken) this.underWay++;
    return isTaken;
  }

  /** Makes calls that wait for room. */
  calls(count: number): void {
    this.waiting += count;
    this.sendWaiting();
  }

  sendWaiting(): void {
    while (this.waiting > 0 && this.call()) this.waiting--;
  }

  resized(): void {
    this.sizes.push(this.window.size);
  }

  decline(): void {
    this.declined++;
  }

  end(): void {
    this.underWay--;
    this.sendWaiting();
    this.window.ended();
  }
}

function users(size: number): { window: SharedWindow; one: User; other: User } {
  const window = new SharedWindow(() => 0);
  const [one, other] = [new User(window), new User(window)];
  window.told(size);
  return { window, one, other };
}

describe('a window that several channels share', () => {
  test('counts the calls of all of them, and all are told of it', () => {
    const { window, one, other } = users(3);
    expect([one.call(), other.call(), one.call(), other.call()]).toEqual([true, true, true, false]);
    expect([window.underWay, window.hasRoom, window.free]).toEqual([3, false, 0]);
    window.told(5);
    expect([window.hasRoom, window.free]).toEqual([true, 1]);
    expect([one.sizes, other.sizes]).toEqual([
      [3, 5],
      [3, 5],
    ]);
  });

  test('gives them turns, one call each, while both have calls that wait', () => {
    const { one, other } = users(4);
    one.calls(50);
    other.calls(50);
    expect([one.waiting, other.waiting]).toEqual([46, 50]);
    for (let call = 0; call < 20; call++) (one.underWay > 0 ? one : other).end();
    expect([one.waiting, other.waiting]).toEqual([36, 40]);
  });

  test('says to one that it has no room while the rest of it is for the other', () => {
    const { window, one, other } = users(1);
    one.calls(3);
    other.calls(3);
    const rooms: boolean[] = [];
    one.sendWaiting = () => {
      while (one.waiting > 0 && window.hasRoomFor(one) && one.call()) one.waiting--;
      rooms.push(window.hasRoomFor(one), window.hasRoom);
    };
    window.told(3);
    expect([one.waiting, other.waiting]).toEqual([1, 2]);
    expect(rooms.slice(0, 2)).toEqual([false, true]);
  });

  test('keeps no room for one whose calls have gone elsewhere', () => {
    const { one, other } = users(1);
    expect([one.call(), other.call()]).toEqual([true, false]);
    one.end();
    expect(one.call()).toBe(true);
    expect(other.call()).toBe(false);
    one.underWay--;
    // Nothing is under way that could end, and the other one wants its turn no more.
    expect(one.call()).toBe(true);
  });

  test('is all for one when the others leave', () => {
    const { window, one, other } = users(1);
    one.calls(1);
    other.calls(5);
    window.leave(other);
    one.end();
    expect([one.call(), window.isUsed]).toEqual([true, true]);
    window.leave(one);
    expect(window.isUsed).toBe(false);
  });

  test('has its turn declined once, and only when none of them takes it', () => {
    const { window, one, other } = users(1);
    one.calls(1);
    window.refused(1);
    other.calls(1);
    window.told(2);
    expect([other.underWay, one.declined + other.declined]).toEqual([1, 0]);
    window.refused(2);
    window.told(3);
    window.told(4);
    expect(one.declined + other.declined).toBe(1);
  });
});
