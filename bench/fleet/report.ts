import type { KeySpec } from '../harness/samples.ts';
import type { Column, TableSpec } from '../harness/table.ts';
import { cellName, type Load } from './cells.ts';

const column = (header: string, load: Load, inFlight: number, metric: string, per = 1): Column => ({
  header,
  cell: cellName(load, inFlight),
  metric,
  per,
});

export const TABLES: readonly TableSpec[] = [
  {
    title: 'small calls: p50 and p99 in µs at 1 in flight; thousand calls/s at 1, 64, 256',
    columns: [
      column('p50', 'small', 1, 'p50'),
      column('p99', 'small', 1, 'p99'),
      ...[1, 64, 256].map((inFlight) => column(`@${inFlight}`, 'small', inFlight, 'throughput', 1e3)),
    ],
  },
  {
    title: 'CPU of a small call in µs: calling process and called process, at 1 and at 64 in flight',
    columns: [1, 64].flatMap((inFlight) => [
      column(`caller @${inFlight}`, 'small', inFlight, 'process'),
      column(`server @${inFlight}`, 'small', inFlight, 'server'),
    ]),
  },
  {
    title: '1 MiB up, 4 in flight: calls/s, CPU of either process in µs per call',
    columns: [
      column('calls/s', 'mib', 4, 'throughput'),
      column('caller', 'mib', 4, 'process'),
      column('server', 'mib', 4, 'server'),
    ],
  },
  {
    title: '4 streams at a time: thousand chunks/s, CPU of either process in µs per chunk',
    columns: [
      column('chunks', 'stream', 4, 'throughput', 1e3),
      column('caller', 'stream', 4, 'process'),
      column('server', 'stream', 4, 'server'),
    ],
  },
];

export const RATIOS: readonly KeySpec[] = [
  ratio('throughput64', 'hop', 'small', 64, '≥ 0.5'),
  { ...ratio('p50', 'hop', 'small', 1, '≤ 1.4'), metric: 'p50' },
  ratio('mib', 'floor', 'mib', 4, '≥ 0.7'),
  { ...ratio('tls', 'plain', 'small', 64, '≥ 0.7'), of: 'inserve-tls', against: 'inserve' },
  { ...ratio('tls_mib', 'plain', 'mib', 4, '≥ 0.7'), of: 'inserve-tls', against: 'inserve' },
  { ...ratio('stream_chunks', 'local', 'stream', 4, '≥ 0.5'), against: 'inserve-local' },
  ratio('throughput64', 'moleculer', 'small', 64, '≥ 2'),
  ratio('throughput64', 'grpc', 'small', 64, '≥ 4'),
  ratio('throughput64', 'floor', 'small', 64),
  ratio('throughput64', 'http', 'small', 64),
  ratio('throughput256', 'hop', 'small', 256),
];

function ratio(name: string, against: string, load: Load, inFlight: number, goal?: string): KeySpec {
  return {
    key: `fleet.${name}_vs_${against}`,
    cell: cellName(load, inFlight),
    metric: 'throughput',
    of: 'inserve',
    against,
    ...(goal !== undefined && { goal }),
  };
}
