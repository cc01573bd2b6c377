import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { otherBuild } from '../harness/builds.ts';
import { compute } from './bench.ts';
import { CELLS } from './cells.ts';
import { contendersOf } from './contenders.ts';
import { KINDS, work } from './mix.ts';

const THIS = otherBuild(fileURLToPath(new URL('../../', import.meta.url)));
const keys = CELLS.flatMap((cell) => [
  ...cell.keys.map(({ key }) => key),
  ...(cell.versusBefore === undefined ? [] : [cell.versusBefore.key]),
]);

describe('compute', () => {
  test('has each key once', () => {
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.every((key) => key.startsWith('compute.'))).toBe(true);
  });

  test.each(CELLS)('$name has a unit and a contender for each of its keys', (cell) => {
    for (const { metric, of, against } of cell.keys) {
      expect(cell.units).toHaveProperty(metric);
      expect(cell.contenders).toHaveProperty(of);
      if (against !== undefined) expect(cell.contenders).toHaveProperty(against);
    }
    expect(cell.timeoutMs(cell.ms)).toBeGreaterThan(cell.ms);
  });

  test('runs only what is asked for, and inserve on both builds', () => {
    const names = (only: string, against: typeof THIS | undefined) =>
      CELLS.flatMap((cell) => contendersOf(cell, 1, 1, only, against)).map(
        ({ name, cells }) => `${name}/${cells}`,
      );
    expect(names('burst', undefined)).toEqual(['inserve/burst', 'thread/burst']);
    expect(names('inserve/burst,cancel', undefined)).toEqual(['inserve/burst', 'inserve/cancel']);
    expect(names('burst', THIS)).toEqual(['inserve/burst', 'inserve-before/burst', 'thread/burst']);
  });

  test.each(KINDS)('the work of /%s is the same each time', (kind) => {
    expect(work(kind)).toEqual(work(kind));
  });

  test('measures a cell on both builds', { timeout: 180_000 }, async () => {
    const { ratios, rows, failures } = await compute({ rounds: 1, ms: 1, only: 'cancel', against: THIS });
    expect(failures).toEqual([]);
    const kept = rows.filter(({ metric }) => metric === 'kept');
    expect(kept).toMatchObject([
      { implementation: 'inserve', median: 5 },
      { implementation: 'inserve-before', median: 5 },
    ]);
    expect(ratios.map(({ key }) => key)).toEqual(['compute.cancelled_that_ran']);
  });
});
