import { expect, test } from 'vitest';
import { MAX_KNOWN_REPLICAS, ReplicaHashTable } from './replica-hashes.ts';

test('threads read the hashes that one of them wrote last', () => {
  const writer = new ReplicaHashTable();
  const reader = new ReplicaHashTable(writer.shared);
  expect(reader.count).toBe(0);
  writer.write([1, 0xffff_ffff]);
  expect([reader.count, reader.at(0), reader.at(1)]).toEqual([2, 1, 0xffff_ffff]);
  writer.write([7]);
  expect([reader.count, reader.at(0)]).toEqual([1, 7]);
});

test('more replicas than fit are left out', () => {
  const table = new ReplicaHashTable();
  table.write(Array.from({ length: 300 }, (_, index) => index));
  expect([table.count, table.at(MAX_KNOWN_REPLICAS - 1)]).toEqual([
    MAX_KNOWN_REPLICAS,
    MAX_KNOWN_REPLICAS - 1,
  ]);
});
