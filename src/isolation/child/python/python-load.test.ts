import { expect, test } from 'vitest';
import { PythonLoad } from './python-load.ts';

test('only a turn of the loop of Python is a sign of life', () => {
  const load = new PythonLoad();
  load.beat(100);
  load.tick();
  expect([load.lastTick, load.beats]).toEqual([100, 1]);
  load.beat(200);
  expect([load.lastTick, load.beats]).toEqual([200, 2]);
});

test('the deadline of a call that has ended for its caller stands until the loop of Python turns', () => {
  const load = new PythonLoad();
  load.latestDeadline = 1_000;
  load.latestDeadline = 0;
  expect(load.holdingDeadline).toBe(1_000);
  load.beat(500);
  expect(load.holdingDeadline).toBe(0);
});
