import { Child } from '../harness/child.ts';
import type { Contender } from '../harness/rounds.ts';
import type { LoadReply, LoadRequest } from '../load/load.ts';
import { cellName, costMs } from './loads.ts';

const SERVER = new URL('./server.ts', import.meta.url);
const LOAD = new URL('../load/child.ts', import.meta.url);
const TIMEOUT_MS = 20_000;
/** Whole batches, of which the last one is cut: at least this many, so that it is a small part. */
const BATCHES = 40;

export const HTTP = 'over HTTP';
export const HTTP_CALLERS = 64;

/** Callers that come as HTTP requests, on as many connections. */
export function overHttp(ms: number): Contender {
  const cell = cellName(HTTP_CALLERS);
  const window = Math.max(ms, BATCHES * costMs(HTTP_CALLERS));
  return {
    name: HTTP,
    cells: [cell],
    start: async () => {
      const server = await Child.start<'port', number>(HTTP, SERVER, [], TIMEOUT_MS);
      const load = await Child.start<LoadRequest, LoadReply>('load', LOAD, ['own'], TIMEOUT_MS);
      const port = await server.ask('port', TIMEOUT_MS);
      const target = { port, method: 'GET', path: '/', bodyBytes: 0, answerBytes: 1 } as const;
      const send = (windowMs: number): Promise<LoadReply> =>
        load.ask(
          { targets: [target], connections: HTTP_CALLERS, ms: windowMs, rate: 0 },
          2 * windowMs + TIMEOUT_MS,
        );
      await send(window / 2);
      return {
        measure: async () => {
          const { throughput, p50 } = await send(window);
          return { throughput, ...(p50 !== undefined && { p50 }) };
        },
        stop: async () => {
          await load.stop();
          return server.stop();
        },
      };
    },
  };
}
