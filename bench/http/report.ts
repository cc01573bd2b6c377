import { type ComparisonSpec, CPU_LIMIT, THROUGHPUT_LIMIT } from '../harness/comparison.ts';
import type { KeySpec } from '../harness/samples.ts';
import type { TableSpec } from '../harness/table.ts';
import {
  type Cell,
  CONNECTIONS,
  cellName,
  EVENT_CONNECTIONS,
  NEIGHBOUR,
  TOKEN_CONNECTIONS,
  type WORKLOADS,
} from './cells.ts';

const TITLES: Readonly<Record<(typeof WORKLOADS)[number], string>> = {
  json: 'no-op JSON',
  echo: 'echo of 10 KB',
  upload: 'upload of 1 MB',
  stream: 'a stream of 1,000 chunks of 32 bytes',
};

function throughput(workload: keyof typeof TITLES): TableSpec {
  const isStream = workload === 'stream';
  return {
    title: `${TITLES[workload]}: ${isStream ? 'thousand chunks/s' : 'thousand requests/s'} at 1, 64 and 256 connections; p50 and p99 in ms`,
    columns: [
      ...CONNECTIONS.map((connections) => ({
        header: `@${connections}`,
        cell: cellName(workload, connections),
        metric: isStream ? 'chunks' : 'throughput',
        per: 1e3,
      })),
      { header: 'p50 @1', cell: cellName(workload, 1), metric: 'p50' },
      { header: 'p99 @1', cell: cellName(workload, 1), metric: 'p99' },
      { header: 'p99 @64', cell: cellName(workload, 64), metric: 'p99' },
    ],
  };
}

export const TABLES: readonly TableSpec[] = [
  throughput('json'),
  {
    title: 'no-op JSON, CPU per request in µs: the host thread, and the whole process with its replicas',
    columns: [1, 64].flatMap((connections) =>
      ['main', 'process'].map((metric) => ({
        header: `${metric} @${connections}`,
        cell: cellName('json', connections),
        metric,
      })),
    ),
  },
  throughput('echo'),
  throughput('upload'),
  throughput('stream'),
  {
    title:
      'a stream of 50 tokens of 20 bytes, all at once: requests/s at 1, 4 and 16 connections; ms to the first byte of the body',
    columns: [
      ...TOKEN_CONNECTIONS.map((connections) => ({
        header: `@${connections}`,
        cell: cellName('tokens', connections),
        metric: 'throughput',
      })),
      { header: 'first @1', cell: cellName('tokens', 1), metric: 'first' },
    ],
  },
  {
    title: `50 server-sent events, a tick of a timer apart, at ${EVENT_CONNECTIONS} connections: CPU of the process per request in µs`,
    columns: [
      { header: 'process', cell: cellName('events', EVENT_CONNECTIONS), metric: 'process' },
      { header: 'requests/s', cell: cellName('events', EVENT_CONNECTIONS), metric: 'throughput' },
    ],
  },
  {
    title: 'no-op JSON at 64 connections, alone and beside a route that computes 70 % of the time',
    columns: [
      { header: 'alone, thousand/s', cell: NEIGHBOUR, metric: 'alone', per: 1e3 },
      { header: 'beside', cell: NEIGHBOUR, metric: 'beside', per: 1e3 },
      { header: 'beside / alone', cell: NEIGHBOUR, metric: 'vsAlone' },
      { header: 'loop lag p99 in ms', cell: NEIGHBOUR, metric: 'lag' },
      { header: 'heavy requests/s', cell: NEIGHBOUR, metric: 'heavy' },
    ],
  },
  {
    title: 'one replica and one bare worker thread: ms to start, MiB of resident memory',
    columns: [
      { header: 'start', cell: 'start', metric: 'start' },
      { header: 'memory', cell: 'memory', metric: 'memory' },
    ],
  },
];

const json64 = cellName('json', 64);

export const KEYS: readonly KeySpec[] = [
  vsPlain('express_inline', 'express-inline', 'express-plain'),
  vsPlain('express_thread', 'express-thread', 'express-plain'),
  vsPlain('koa_thread', 'koa-thread', 'koa-plain'),
  vsPlain('fastify_thread', 'fastify-thread', 'fastify-plain'),
  vsPlain('fastify_middie_thread', 'middie-thread', 'middie-plain'),
  vsPlain('node_inline', 'node-inline', 'node-plain'),
  vsPlain('node_thread', 'node-thread', 'node-plain'),
  {
    key: 'http.express_thread_vs_piscina',
    cell: json64,
    metric: 'throughput',
    of: 'express-thread',
    against: 'express-piscina',
  },
  ...['node', 'express'].map(
    (framework): KeySpec => ({
      key: framework === 'node' ? 'http.added_p50_ms' : `http.added_p50_${framework}_ms`,
      cell: cellName('json', 1),
      metric: 'p50',
      of: `${framework}-thread`,
      against: `${framework}-plain`,
      how: 'difference',
      ...(framework === 'node' && { goal: '≤ 0.15' }),
    }),
  ),
  {
    key: 'http.cpu_added_vs_floor',
    cell: json64,
    metric: 'process',
    of: 'node-alone',
    against: 'node-floor',
    over: 'node-plain',
    goal: '≤ 1.5',
  },
  // The two terms of that ratio: the floor's is so small that it is 0 or less in some rounds, which are then left out.
  ...['alone', 'floor'].map(
    (backend): KeySpec => ({
      key: `http.cpu_added_us_${backend}`,
      cell: json64,
      metric: 'process',
      of: `node-${backend}`,
      against: 'node-plain',
      how: 'difference',
    }),
  ),
  ...[16, 4].flatMap((connections) =>
    ['node', 'express'].map((framework): KeySpec => {
      const key = `http.stream${connections}_${framework === 'node' ? '' : `${framework}_`}vs_plain`;
      const cell = cellName('tokens', connections);
      return {
        key,
        cell,
        metric: 'throughput',
        of: `${framework}-thread`,
        against: `${framework}-plain`,
        goal: '≥ 0.6',
      };
    }),
  ),
  {
    key: 'http.sse_tokens_vs_plain',
    cell: cellName('events', EVENT_CONNECTIONS),
    metric: 'process',
    of: 'node-thread',
    against: 'node-plain',
    goal: '≤ 1.5',
  },
  {
    key: 'http.stream_first_chunk_added_ms',
    cell: cellName('tokens', 1),
    metric: 'first',
    of: 'node-thread',
    against: 'node-plain',
    how: 'difference',
    goal: '≤ 0.3',
  },
  { key: 'http.neighbour_route_vs_alone', cell: NEIGHBOUR, metric: 'vsAlone', of: 'express-thread' },
  { key: 'http.host_loop_lag_p99_ms', cell: NEIGHBOUR, metric: 'lag', of: 'express-thread' },
  ...['memory', 'start'].map((cell): KeySpec => {
    const key = cell === 'memory' ? 'http.added_memory_per_replica_mib' : 'http.replica_start_over_worker_ms';
    return { key, cell, metric: cell, of: 'replica', against: 'worker', how: 'difference' };
  }),
  { key: 'http.stream_chunks_per_s', cell: cellName('stream', 64), metric: 'chunks', of: 'express-thread' },
];

function vsPlain(name: string, of: string, against: string): KeySpec {
  return { key: `http.${name}_vs_plain`, cell: json64, metric: 'throughput', of, against };
}

/** One server of this build against the other's in one cell. */
export function versusBefore(of: string, { name: cell, workload }: Cell): readonly ComparisonSpec[] {
  const key = (metric: string) => `http.${metric}_${of}_${cell}_vs_before`;
  // A window is too short for many whole streams: it is their chunks that are counted.
  const isStream = workload === 'stream';
  const metric = isStream ? 'chunks' : 'throughput';
  return [
    { key: key('throughput'), cell, metric, of, limit: THROUGHPUT_LIMIT },
    { key: key('cpu'), cell, metric: 'main', of, ...(!isStream && { limit: CPU_LIMIT }) },
    { key: key('process'), cell, metric: 'process', of },
  ];
}
