import { type ComparisonSpec, CPU_LIMIT, type Limit, THROUGHPUT_LIMIT } from '../harness/comparison.ts';
import type { KeySpec } from '../harness/samples.ts';
import type { Column, TableSpec } from '../harness/table.ts';
import { CELLS, cellName, type Load, WAYS } from './cells.ts';

const thousands = (header: string, cell: string): Column => ({
  header,
  cell,
  metric: 'throughput',
  per: 1e3,
});

const small: TableSpec = {
  title: 'small payload, thousand calls/s at 1, 16, 64, 256 in flight, and with 2 workers',
  columns: [
    ...[1, 16, 64, 256].map((inFlight) => thousands(`@${inFlight}`, cellName('small', inFlight))),
    thousands('2 workers @64', cellName('small', 64, 2)),
  ],
};

const smallCost: TableSpec = {
  title: 'small payload, latency at 1 in flight in µs, and main-thread CPU per call in µs',
  columns: [
    { header: 'p50', cell: cellName('small', 1), metric: 'p50' },
    { header: 'p99', cell: cellName('small', 1), metric: 'p99' },
    { header: 'CPU @1', cell: cellName('small', 1), metric: 'cpu' },
    { header: 'CPU @64', cell: cellName('small', 64), metric: 'cpu' },
  ],
};

const WAY_TITLES = {
  copy: 'copied',
  transfer: 'transferred, a fresh buffer per call',
  recycle: 'transferred there and back, the buffer used again',
  shared: 'shared (SharedArrayBuffer)',
};

export const TABLES: readonly TableSpec[] = [
  small,
  smallCost,
  ...WAYS.map((way) => ({
    title: `1 MiB ${WAY_TITLES[way]}: p50 in µs @1; thousand calls/s; main-thread CPU per call in µs`,
    columns: [
      { header: 'p50', cell: cellName(way, 1), metric: 'p50' },
      ...[1, 16, 64].map((inFlight) => thousands(`@${inFlight}`, cellName(way, inFlight))),
      { header: 'CPU @16', cell: cellName(way, 16), metric: 'cpu' },
    ],
  })),
];

export const RATIOS: readonly KeySpec[] = [
  throughput('throughput64', 'floor', 'small', 64),
  { ...throughput('p50', 'floor', 'small', 1), metric: 'p50' },
  throughput('throughput64', 'poolifier', 'small', 64),
  throughput('throughput64', 'piscina', 'small', 64),
  throughput('shared1MiB', 'floor', 'shared', 16),
  throughput('copy1MiB', 'floor', 'copy', 16),
  throughput('transfer1MiB', 'floor', 'transfer', 16),
  throughput('recycle1MiB', 'floor', 'recycle', 16),
  throughput('copy1MiB', 'poolifier', 'copy', 16),
  throughput('copy1MiB', 'piscina', 'copy', 16),
  throughput('throughput64x2workers', 'floor', 'small', 64, 2),
  { ...throughput('cpu64', 'floor', 'small', 64), metric: 'cpu' },
];

function throughput(name: string, against: string, load: Load, inFlight: number, workers = 1): KeySpec {
  const cell = cellName(load, inFlight, workers);
  return { key: `threads.${name}_vs_${against}`, cell, metric: 'throughput', of: 'inserve', against };
}

/**
 * This build against another. Only the quick calls are judged: those with 1 MiB vary so much that one of their many keys
 * would lie beyond its limit by chance.
 */
export const COMPARISONS: readonly ComparisonSpec[] = CELLS.flatMap(({ name, load }) => [
  versusBefore('throughput', name, load === 'small' ? THROUGHPUT_LIMIT : undefined),
  versusBefore('cpu', name, load === 'small' ? CPU_LIMIT : undefined),
  versusBefore('process', name, name === cellName('small', 64) ? CPU_LIMIT : undefined),
]);

function versusBefore(metric: string, cell: string, limit: Limit | undefined): ComparisonSpec {
  const key = `threads.${metric}_${cell}_vs_before`;
  return { key, cell, metric, of: 'inserve', ...(limit !== undefined && { limit }) };
}
