import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_KNOWN_MODELS, MODEL_TABLE_BYTES, ModelTable } from './model-table.ts';

function pair(): [writer: ModelTable, reader: ModelTable] {
  const shared = new SharedArrayBuffer(64 + MODEL_TABLE_BYTES);
  return [new ModelTable(shared, 64), new ModelTable(shared, 64)];
}

function known(table: ModelTable): number[] {
  const hashes: number[] = [];
  for (let hash = table.at(0); hash !== undefined; hash = table.at(hashes.length)) hashes.push(hash);
  return hashes;
}

describe('the models of a replica', () => {
  test('callers see those that were advertised last, whatever was there before', () => {
    const hashes = fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 4, 2 ** 31, 2 ** 32 - 1));
    fc.assert(
      fc.property(fc.array(hashes, { maxLength: 20 }), (steps) => {
        const [writer, reader] = pair();
        for (const held of steps) {
          writer.advertise(held);
          expect(reader.count).toBe(held.length);
          expect(known(reader).sort()).toEqual([...held].sort());
          for (const hash of [0, 1, 2, 3, 4, 2 ** 31, 2 ** 32 - 1])
            expect(reader.holds(hash)).toBe(held.includes(hash));
        }
      }),
      { seed: 9 },
    );
  });

  test('of more models than fit the last ones loaded are known, and all are counted', () => {
    const [writer, reader] = pair();
    const hashes = Array.from({ length: MAX_KNOWN_MODELS + 2 }, (_, n) => n + 1);
    writer.advertise(hashes);
    expect([reader.count, known(reader).length]).toEqual([MAX_KNOWN_MODELS + 2, MAX_KNOWN_MODELS]);
    expect([1, 2, 3].map((hash) => reader.holds(hash))).toEqual([false, false, true]);
    writer.advertise([1]);
    expect([reader.count, known(reader)]).toEqual([1, [1]]);
  });

  test('a duration is shared within a sixteenth of a millisecond, and is known once it was measured', () => {
    const [writer, reader] = pair();
    expect(reader.loadMs).toBe(0);
    writer.loadMs = 100.03;
    expect(reader.loadMs).toBeCloseTo(100.03, 1);
    writer.loadMs = 0;
    expect(reader.loadMs).toBeGreaterThan(0);
  });
});
