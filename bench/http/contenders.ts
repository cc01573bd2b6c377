import type { Build } from '../harness/builds.ts';
import { Child } from '../harness/child.ts';
import type { Contender } from '../harness/rounds.ts';
import type { Metrics } from '../harness/samples.ts';
import type { LoadReply, LoadRequest } from '../load/load.ts';
import { BUSY_RATE, CELLS, type Cell, chunksOf, targetOf } from './cells.ts';
import type { ServerReply, ServerRequest } from './child.ts';
import type { Backend } from './servers.ts';
import { BUSY_CORE, REST_CORE } from './work.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 30_000;
/** On top of a cell's own time. */
const SLACK_MS = 15_000;
/**
 * How long each route is called before anything is measured, at so many connections. A fresh server more than doubles its
 * rate in its first one to two seconds, as V8 compiles what it runs; with less it is the compilers that share two cores.
 */
const WARM_UP_MS = 2_000;
const WARM_UP_CONNECTIONS = 64;
/** Enough for a rate that is below what the route can do. */
const BUSY_CONNECTIONS = 16;

type Server = Child<ServerRequest, ServerReply>;
export type Load = Child<LoadRequest, LoadReply>;

/** The processes that send requests. */
export interface Loads {
  readonly load: Load;
  /** Keeps the heavy route busy while `load` asks another. */
  readonly background: Load;
}

type Sent = Omit<LoadRequest, 'rate'> & { readonly rate?: number };

/** A framework and who does the work, in a process of its own. */
export interface ServerSpec {
  readonly framework: string;
  readonly backend: Backend;
  readonly cells: readonly string[];
}

export const UNITS = {
  throughput: 'requests/s',
  chunks: 'chunks/s',
  p50: 'ms',
  p99: 'ms',
  first: 'ms',
  main: 'µs/request',
  process: 'µs/request',
  alone: 'requests/s',
  beside: 'requests/s',
  vsAlone: '',
  lag: 'ms',
  heavy: 'requests/s',
  start: 'ms',
  memory: 'MiB',
  firstMemory: 'MiB',
};

export function serverContender(
  spec: ServerSpec,
  { suffix, root }: Build,
  ms: number,
  loads: Loads,
): Contender {
  const name = `${spec.framework}-${spec.backend}${suffix}`;
  return {
    name,
    cells: spec.cells,
    start: async () => {
      const args = [spec.framework, spec.backend];
      const server: Server = await Child.start(name, CHILD, args, START_TIMEOUT_MS, root);
      try {
        const { port } = await server.ask({ ask: 'port' }, SLACK_MS);
        await warmUp(spec, port, loads.load);
        return {
          measure: (name) => {
            const cell = CELLS.find((candidate) => candidate.name === name);
            return cell === undefined
              ? measureNeighbour(server, port, loads, ms)
              : measure(server, port, loads.load, cell, ms);
          },
          stop: () => server.stop(),
        };
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}

/** Lets the JIT see every route that is to be measured. */
async function warmUp({ cells }: ServerSpec, port: number, load: Load): Promise<void> {
  const routes = new Set(cells.map((name) => CELLS.find((cell) => cell.name === name)?.workload ?? 'json'));
  for (const route of routes) {
    await send(load, { targets: [targetOf(route, port)], connections: WARM_UP_CONNECTIONS, ms: WARM_UP_MS });
  }
}

async function measure(
  server: Server,
  port: number,
  load: Load,
  { workload, connections }: Cell,
  ms: number,
): Promise<Metrics> {
  await server.ask({ ask: 'watch', loop: false }, SLACK_MS);
  const { throughput, chunkedBytes, p50, p99, firstP50, sent } = await send(load, {
    targets: [targetOf(workload, port)],
    connections,
    ms,
  });
  const { mainUs, processUs } = await server.ask({ ask: 'watched' }, SLACK_MS);
  return {
    throughput,
    ...(workload === 'stream' && { chunks: chunksOf(chunkedBytes) }),
    ...(p50 !== undefined && { p50 }),
    ...(p99 !== undefined && { p99 }),
    ...(firstP50 !== undefined && { first: firstP50 }),
    ...(sent > 0 && { main: mainUs / sent, process: processUs / sent }),
  };
}

/**
 * The light route alone, then beside a heavy one, then alone again. Where it can be done the heavy route's thread and
 * its clients have one core, and everything else the other.
 */
async function measureNeighbour(server: Server, port: number, loads: Loads, ms: number): Promise<Metrics> {
  const { isPinned } = await server.ask({ ask: 'pin', core: REST_CORE }, SLACK_MS);
  const pinned = (request: Sent, core: number): Sent => (isPinned ? { ...request, core } : request);
  const light = pinned(
    { targets: [targetOf('json', port)], connections: WARM_UP_CONNECTIONS, ms },
    REST_CORE,
  );
  // From before the light route's window to after it.
  const heavy = pinned(
    { targets: [targetOf('busy', port)], connections: BUSY_CONNECTIONS, ms: 2 * ms, rate: BUSY_RATE },
    BUSY_CORE,
  );
  const before = await send(loads.load, light);
  await server.ask({ ask: 'watch', loop: true }, SLACK_MS);
  const busy = send(loads.background, heavy);
  const beside = await send(loads.load, light);
  const { lagMs } = await server.ask({ ask: 'watched' }, SLACK_MS);
  const { throughput } = await busy;
  const after = await send(loads.load, light);
  await server.ask({ ask: 'pin' }, SLACK_MS);
  const alone = (before.throughput + after.throughput) / 2;
  return {
    alone,
    beside: beside.throughput,
    vsAlone: beside.throughput / alone,
    lag: lagMs,
    heavy: throughput,
  };
}

function send(load: Load, request: Sent): Promise<LoadReply> {
  return load.ask({ rate: 0, ...request }, 2 * request.ms + SLACK_MS);
}
