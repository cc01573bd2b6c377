import { describe, expect, test } from 'vitest';
import { MODEL_TABLE_BYTES, ModelTable } from '../../../load/model-table.ts';
import { describeModels, PeerModels } from './peer-models.ts';

/** A replica that holds these models. @param stalestAt 0: it has room for another one */
function replica(models: readonly number[], stalestAt = 0, loadMs = 0): ModelTable {
  const table = new ModelTable(new SharedArrayBuffer(MODEL_TABLE_BYTES), 0);
  table.keepsModels = true;
  table.advertise(models);
  table.stalestAt = stalestAt;
  if (loadMs > 0) table.loadMs = loadMs;
  return table;
}

describe('the models of a deployment, as peers know them', () => {
  test('are those of all its replicas, and the next one is loaded where the fewest are', () => {
    const status = describeModels([replica([1, 2, 3], 0, 100), replica([3, 4], 0, 300)], 1_000);
    expect(status).toEqual({ hashes: [1, 2, 3, 4], count: 2, loadMs: 200, idleMs: 0 });
  });

  test('without room are judged by the time for which the stalest was not used, by any clock', () => {
    const status = describeModels([replica([1], 400), replica([2], 900)], 1_000);
    expect(status).toMatchObject({ idleMs: 600 });
    const models = new PeerModels();
    models.update(status, 70_000);
    expect([models.stalestAt, models.holds(2), models.holds(3)]).toEqual([69_400, true, false]);
    expect(describeModels([replica([1], 400), replica([2])], 1_000)).toMatchObject({ idleMs: 0, count: 1 });
  });

  test('are none where no replica keeps any, or none any more', () => {
    const table = new ModelTable(new SharedArrayBuffer(MODEL_TABLE_BYTES), 0);
    expect(describeModels([table], 0)).toBe(undefined);
    const models = new PeerModels();
    models.update({ hashes: [1], count: 1, loadMs: 5, idleMs: 0 }, 0);
    models.update(undefined, 0);
    expect([models.keepsModels, models.holds(1), models.count]).toEqual([false, false, 0]);
  });

  test('are copied for callers in other threads', () => {
    const models = new PeerModels();
    models.update({ hashes: [1, 0xffff_ffff], count: 1, loadMs: 50, idleMs: 10 }, 100);
    const table = new ModelTable(new SharedArrayBuffer(MODEL_TABLE_BYTES), 0);
    models.copyTo(table);
    expect([table.keepsModels, table.holds(0xffff_ffff), table.loadMs, table.stalestAt]).toEqual([
      true,
      true,
      50,
      90,
    ]);
  });
});

test('a change of the models ends the wait for one, and so does the end of the replica', async () => {
  const table = replica([]);
  const seen = table.revision;
  const changed = table.waitChanged(seen);
  table.advertise([5]);
  await changed;
  expect(table.revision).not.toBe(seen);
  const ended = table.waitChanged(table.revision);
  table.endWaits();
  await ended;
});
