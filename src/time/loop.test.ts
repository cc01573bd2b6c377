import { describe, expect, test } from 'vitest';
import { Turns } from '../../test/support/turns.ts';
import { type CallStarter, EventLoop } from './loop.ts';

/** Begins calls that hold the loop for so long each. */
class Starter implements CallStarter {
  readonly calls: number[] = [];
  readonly log: string[] = [];
  isExpectingCall = false;
  readonly #turns: Turns;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  get hasNext(): boolean {
    return this.calls.length > 0;
  }

  turned(): void {
    this.log.push('turned');
  }

  beginNext(): void {
    this.log.push('call');
    this.#turns.at += this.calls.shift() ?? 0;
  }

  resuming(): void {
    this.log.push('resuming');
  }
}

/** A generator that gives the loop up after each of its values, as often as it has been held. */
async function compute(loop: EventLoop, turns: Turns, log: string[], name: string, values: number) {
  for (let value = 1; value <= values; value++) {
    turns.at += 5;
    log.push(`${name}${value}`);
    await loop.yield();
  }
}

test('what is collected is posted when the loop turns, once, and at once when it is asked for', async () => {
  using turns = new Turns();
  const loop = new EventLoop();
  let posted = 0;
  loop.collect({ flush: () => posted++ });
  loop.collect({ flush: () => posted++ });
  expect(posted).toBe(0);
  await turns.turn();
  expect([posted, turns.isPending]).toEqual([2, false]);
  loop.collect({ flush: () => posted++ });
  loop.flush();
  await turns.settle();
  expect(posted).toBe(3);
});

describe('yield()', () => {
  test('waits for a turn only where the loop has been held for a millisecond', async () => {
    using turns = new Turns();
    const loop = new EventLoop();
    expect(loop.yield()).toBeUndefined();
    turns.at += 0.9;
    expect(loop.yield()).toBeUndefined();
    turns.at += 0.1;
    const turned = loop.yield();
    expect(turned).toBeInstanceOf(Promise);
    await turns.turn();
    await turned;
    expect(loop.isHeld(turns.at)).toBe(false);
  });

  test('lets the loop turn between any two that hold it', async () => {
    using turns = new Turns();
    const [loop, log] = [new EventLoop(), [] as string[]];
    loop.enter(turns.at);
    const all = ['a', 'b'].map((name) => compute(loop, turns, log, name, 3));
    const atTurns: number[] = [];
    while (turns.isPending) {
      await turns.turn();
      atTurns.push(log.length);
    }
    await Promise.all(all);
    expect(log).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
    // No turn brought more than one value.
    expect(atTurns.every((count, index) => count - (atTurns[index - 1] ?? 2) <= 1)).toBe(true);
  });
});

describe('calls and generators on one loop', () => {
  test('take turns: neither waits for all of the others', async () => {
    using turns = new Turns();
    const [loop, starter] = [new EventLoop(), new Starter(turns)];
    loop.serve(starter);
    loop.enter(turns.at);
    const stream = compute(loop, turns, starter.log, 'a', 4);
    starter.calls.push(10, 10, 10, 10);
    await turns.settle();
    await stream;
    const order = starter.log.filter((entry) => entry !== 'turned' && entry !== 'resuming');
    expect(order).toEqual(['a1', 'call', 'a2', 'call', 'a3', 'call', 'a4', 'call']);
  });

  test('a call that is on its way begins before a generator goes on, but is not waited for beyond a millisecond', async () => {
    using turns = new Turns();
    const [loop, starter] = [new EventLoop(), new Starter(turns)];
    loop.serve(starter);
    loop.enter(turns.at);
    const stream = compute(loop, turns, starter.log, 'a', 3);
    starter.isExpectingCall = true;
    await turns.turn();
    expect(starter.log).toEqual(['a1', 'turned']);
    turns.at += 0.3;
    starter.calls.push(10);
    starter.isExpectingCall = false;
    await turns.turn();
    await turns.turn();
    expect(starter.log).toEqual(['a1', 'turned', 'turned', 'call', 'turned', 'resuming', 'a2']);
    starter.isExpectingCall = true;
    await turns.turn();
    turns.at += 1;
    await turns.turn();
    expect(starter.log.slice(7)).toEqual(['turned', 'turned', 'resuming', 'a3']);
    starter.isExpectingCall = false;
    await turns.settle();
    await stream;
  });

  test('a call that is expected and does not come is waited for once, not before each value', async () => {
    using turns = new Turns();
    const [loop, starter] = [new EventLoop(), new Starter(turns)];
    loop.serve(starter);
    loop.enter(turns.at);
    const streams = ['a', 'b'].map((name) => compute(loop, turns, starter.log, name, 3));
    starter.isExpectingCall = true;
    await turns.turn();
    turns.at += 1;
    await turns.turn();
    expect(starter.log).toEqual(['a1', 'b1', 'turned', 'turned', 'resuming', 'a2']);
    await turns.turn();
    await turns.turn();
    expect(starter.log.slice(6)).toEqual(['turned', 'resuming', 'b2', 'turned', 'resuming', 'a3']);
    // The call comes, and the next one is waited for again.
    starter.calls.push(10);
    await turns.turn();
    await turns.turn();
    expect(starter.log.slice(12)).toEqual(['turned', 'call', 'turned']);
    turns.at += 1;
    await turns.settle();
    await Promise.all(streams);
    expect(starter.log.slice(15, 18)).toEqual(['turned', 'resuming', 'b3']);
  });
});
