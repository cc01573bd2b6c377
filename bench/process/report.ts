import type { KeySpec } from '../harness/samples.ts';
import type { TableSpec } from '../harness/table.ts';

export const CELLS = ['small@1', 'small@64', 'death'];

export const TABLES: readonly TableSpec[] = [
  {
    title:
      'small calls: p50 and p99 in µs at 1 in flight; thousand calls/s at 64; CPU of the calling process in µs per call',
    columns: [
      { header: 'p50', cell: 'small@1', metric: 'p50' },
      { header: 'p99', cell: 'small@1', metric: 'p99' },
      { header: '@64', cell: 'small@64', metric: 'throughput', per: 1e3 },
      { header: 'main thread', cell: 'small@64', metric: 'cpu' },
      { header: 'all threads', cell: 'small@64', metric: 'process' },
    ],
  },
  {
    title: 'SIGKILL of a process until its calls have failed, in ms',
    columns: [
      { header: 'p50', cell: 'death', metric: 'deathP50' },
      { header: 'p99', cell: 'death', metric: 'deathP99' },
    ],
  },
];

export const RATIOS: readonly KeySpec[] = [
  { key: 'process.death_seen_ms', cell: 'death', metric: 'deathP99', of: 'process', goal: '≤ 5' },
  { key: 'process.death_vs_floor', cell: 'death', metric: 'deathP50', of: 'process', against: 'stream' },
  {
    key: 'process.call_p50_vs_floors',
    cell: 'small@1',
    metric: 'p50',
    of: 'process',
    against: 'floors',
    goal: '≤ 1.3',
  },
  {
    key: 'process.throughput64_vs_stream_floor',
    cell: 'small@64',
    metric: 'throughput',
    of: 'process',
    against: 'stream',
    goal: '≥ 0.6',
  },
  { key: 'process.cpu64_vs_thread', cell: 'small@64', metric: 'cpu', of: 'process', against: 'thread' },
];
