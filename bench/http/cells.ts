import type { Target } from '../load/load.ts';
import type { RouteName } from './site.ts';
import {
  BUSY_MS,
  CHUNKS,
  ECHO_BYTES,
  EVENTS_BYTES,
  JSON_RESULT,
  STREAM_BYTES,
  size,
  TOKENS_BYTES,
  UPLOAD_BYTES,
} from './work.ts';

export const WORKLOADS = ['json', 'echo', 'upload', 'stream'] as const;
export type Workload = (typeof WORKLOADS)[number] | 'tokens' | 'events';

export const CONNECTIONS = [1, 64, 256] as const;

export interface Cell {
  readonly name: string;
  readonly workload: Workload;
  readonly connections: number;
}

/** Streams of a language model: for a few readers, and for as many as a chat has. */
export const TOKEN_CONNECTIONS = [1, 4, 16] as const;
export const EVENT_CONNECTIONS = 500;

export const CELLS: readonly Cell[] = [
  ...WORKLOADS.flatMap((workload) => CONNECTIONS.map((connections) => cellOf(workload, connections))),
  ...TOKEN_CONNECTIONS.map((connections) => cellOf('tokens', connections)),
  cellOf('events', EVENT_CONNECTIONS),
];

/** A light route while a heavy one is busy beside it. */
export const NEIGHBOUR = 'neighbour';

export function cellName(workload: Workload, connections: number): string {
  return `${workload}@${connections}`;
}

function cellOf(workload: Workload, connections: number): Cell {
  return { name: cellName(workload, connections), workload, connections };
}

/** Share of its thread's time that the heavy route is asked for, and the rate that comes to. */
const BUSY_LOAD = 0.7;
export const BUSY_RATE = (BUSY_LOAD * 1e3) / BUSY_MS;

export function targetOf(route: RouteName, port: number): Target {
  const get = { port, path: `/${route}`, method: 'GET', bodyBytes: 0 } as const;
  switch (route) {
    case 'json':
    case 'busy':
      return { ...get, answerBytes: jsonBytes(JSON_RESULT) };
    case 'stream':
      return { ...get, answerBytes: STREAM_BYTES };
    case 'tokens':
      return { ...get, answerBytes: TOKENS_BYTES };
    case 'events':
      return { ...get, answerBytes: EVENTS_BYTES };
    case 'echo':
      return { ...get, method: 'POST', bodyBytes: ECHO_BYTES, answerBytes: ECHO_BYTES };
    case 'upload': {
      const answerBytes = jsonBytes(size(new Uint8Array(UPLOAD_BYTES)));
      return { ...get, method: 'POST', bodyBytes: UPLOAD_BYTES, answerBytes };
    }
  }
}

/** Body bytes per second → chunks per second: a stream at 256 connections may take longer than it is measured. */
export function chunksOf(bodyBytes: number): number {
  return (bodyBytes * CHUNKS) / STREAM_BYTES;
}

function jsonBytes(value: unknown): number {
  return JSON.stringify(value).length;
}
