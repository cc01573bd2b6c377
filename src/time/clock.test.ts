import { expect, test } from 'vitest';
import { batchTime, beginBatch, machineTime, now, type ThreadTime, time, useTime } from './clock.ts';
import { Expiring, TimerWheel } from './timer-wheel.ts';

class Deadline extends Expiring {
  firedAt: number | undefined = undefined;

  override expire(at: number): void {
    this.firedAt = at;
  }
}

test('a thread can be given another time: its clock, its timers and its random numbers', () => {
  let at = 1_000;
  const tickers: Array<() => void> = [];
  const timer = { ref() {}, unref() {} };
  const other: ThreadTime = {
    ...machineTime,
    now: () => at,
    random: () => 0.25,
    every(_ms, run) {
      tickers.push(run);
      return timer;
    },
    cancel(ended) {
      if (ended === timer) tickers.length = 0;
    },
  };
  {
    using _ = useTime(other);
    expect(now()).toBe(1_000);
    expect(time.random()).toBe(0.25);
    beginBatch();
    expect(batchTime).toBe(1_000);
    const wheel = new TimerWheel();
    const deadline = new Deadline();
    wheel.add(deadline, 1_050);
    for (at = 1_008; tickers.length > 0; at += 8) tickers[0]?.();
    expect(deadline.firedAt).toBe(1_056);
  }
  expect(time).toBe(machineTime);
  const before = machineTime.now();
  const read = now();
  expect(read).toBeGreaterThanOrEqual(before);
  expect(read).toBeLessThanOrEqual(machineTime.now());
});
