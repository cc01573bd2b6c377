import { expect, test } from 'vitest';
import { StatWindows } from './stat-windows.ts';

const same = (at: number): number => at;

test('values are averaged over the period, and listed with their times', () => {
  const windows = new StatWindows(1_000);
  windows.record(0, 'a', { backlog: 2 });
  windows.record(500, 'a', { backlog: 4 });
  windows.record(500, 'b', { backlog: 1 });
  expect(windows.read(1_000, 1_000, (at) => at + 10)).toEqual({
    aggregatedMetrics: { backlog: { a: 3, b: 1 } },
    rawMetrics: {
      backlog: {
        a: [
          { at: 10, value: 2 },
          { at: 510, value: 4 },
        ],
        b: [{ at: 510, value: 1 }],
      },
    },
  });
  windows.keep(new Set(['b']));
  expect(windows.read(1_000, 1_000, same).aggregatedMetrics).toEqual({ backlog: { b: 1 } });
});

test('a hook that makes up names does not fill the memory', () => {
  const windows = new StatWindows(1_000);
  for (let name = 0; name < 500; name++) windows.record(name, 'a', { [`name${name}`]: 1 });
  expect(Object.keys(windows.read(500, 1_000, same).aggregatedMetrics)).toHaveLength(100);
});
