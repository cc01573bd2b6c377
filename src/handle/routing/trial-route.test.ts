import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Route } from './route.ts';
import { TrialRoute } from './trial-route.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test('the route of a trial is found again when its app was deleted, now and then', () => {
  const found: Route[] = [];
  const trial = new TrialRoute(() => {
    const route = { isGone: false } as Route;
    found.push(route);
    return route;
  });
  const [first] = found as [Route];
  expect(trial.current).toBe(first);
  first.isGone = true;
  expect(trial.current).toBe(first);
  vi.advanceTimersByTime(101);
  expect(trial.current).toBe(found[1]);
  expect([trial.current, found.length]).toEqual([found[1], 2]);
});
