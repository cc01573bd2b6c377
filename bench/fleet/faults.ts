import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { DeploymentHandle } from 'inserve';
import { Child } from '../harness/child.ts';
import type { KeyFigure, Row } from '../harness/samples.ts';
import { percentile, type Summary, summarize } from '../harness/statistics.ts';
import type { Echo } from './deployments.ts';
import { APP, type FleetInstance, instance } from './inserve.ts';

const SERVER = new URL('./server.ts', import.meta.url);
const END_WATCH = new URL('./end-watch.worker.ts', import.meta.url);
const START_TIMEOUT_MS = 30_000;
/** Time until a peer must be reached, or known to be away, in ms. */
const LINK_MS = 30_000;
/** Calls that are made in each ms while a peer is killed. */
const CALLS_PER_MS = 4;
const BLOCK_MS = 5_000;
const FREEZE_MS = 30_000;
/** Pause between calls while a host is blocked, in ms: far below 30 % load. */
const PAUSE_MS = 2;

type Server = Child<'port' | 'block', number>;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Measures the effect of faults of an instance on its callers. @param kills how often a peer is killed */
export async function faults(
  kills: number,
  progress: (line: string) => void,
): Promise<{
  readonly figures: readonly KeyFigure[];
  readonly rows: readonly Row[];
  readonly notes: string[];
}> {
  const stays = await start();
  const caller = await instance({ trustNetwork: true });
  try {
    const [killed, lost] = await kill(stays, caller, kills, progress);
    progress('faults: a frozen peer');
    const frozen = await freeze(stays, caller);
    progress('faults: a blocked host');
    const blocked = await block(stays, caller);
    const p99 = {
      ...summarize(killed),
      median: percentile(
        killed.toSorted((a, b) => a - b),
        0.99,
      ),
    };
    const figures = [
      figure('fleet.dead_peer_avoided_ms', p99, 'p99 ≤ 5'),
      figure('fleet.silent_peer_ms', summarize([frozen.silentMs]), '≤ 8000'),
      figure('fleet.thawed_link_ms', summarize([frozen.backMs]), '≤ 2000'),
      figure('fleet.blocked_host_p99_ratio', summarize([blocked.ratio]), '≤ 2'),
    ];
    return {
      figures,
      rows: figures.map(({ of, cell, metric, key, median, min, max }) => ({
        implementation: of,
        cell,
        metric,
        unit: key.endsWith('_ms') ? 'ms' : '',
        median,
        min,
        max,
      })),
      notes: [
        `faults: ${kills} kills under ${CALLS_PER_MS} calls/ms failed ${lost} calls, none of them idempotent; ` +
          `p99 beside a free host ${blocked.before.toFixed(2)} ms, beside a blocked one ${blocked.during.toFixed(2)} ms`,
      ],
    };
  } finally {
    await caller.serve.close();
    await stays.stop();
  }
}

function figure(key: string, summary: Summary, goal: string): KeyFigure {
  return { key, cell: 'faults', metric: key.slice('fleet.'.length), of: 'inserve', goal, ...summary };
}

function start(): Promise<Server> {
  return Child.start('a peer', SERVER, ['inserve'], START_TIMEOUT_MS);
}

async function addressOf(server: Server): Promise<Address> {
  return { host: '127.0.0.1', port: await server.ask('port', START_TIMEOUT_MS) };
}

function handleOf({ serve }: FleetInstance): DeploymentHandle<Echo> {
  return serve.handle<Echo>(APP).options({ preferLocal: false });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + LINK_MS; !holds(); await sleep(1))
    if (performance.now() > end) throw new Error(`not within ${LINK_MS} ms: ${what}`);
}

/**
 * Kills a peer under load, again and again.
 *
 * @returns for each time: ms from the end of its sockets, as another thread sees it, to the last call that was sent there; and
 *   how many calls failed
 */
async function kill(
  stays: Server,
  caller: FleetInstance,
  kills: number,
  progress: (line: string) => void,
): Promise<[number[], number]> {
  const handle = handleOf(caller);
  const kept = await addressOf(stays);
  const avoided: number[] = [];
  let lost = 0;
  for (let round = 0; round < kills; round++) {
    progress(`faults: kill ${round + 1} of ${kills}`);
    const dies = await start();
    const address = await addressOf(dies);
    const before = new Set(caller.fleet.peers);
    caller.fleet.connect([kept, address]);
    await until('two peers', () => caller.fleet.peers.length === 2);
    const victim = caller.fleet.peers.find((peer) => round > 0 && !before.has(peer));
    const sent = new Map<string, number>();
    let isOver = false;
    const open = new Set<Promise<unknown>>();
    const call = (): void => {
      const response = handle.echo.remote({ x: 1 });
      const to = response.explain().instance;
      if (to !== undefined) sent.set(to, performance.timeOrigin + performance.now());
      const ended: Promise<unknown> = response.catch(() => lost++).finally(() => open.delete(ended));
      open.add(ended);
    };
    // Calls come at their own pace: callers that wait for their answers would all wait at the dead peer soon.
    const arrivals = (async (): Promise<void> => {
      for (; !isOver; await sleep(1)) for (let calls = 0; calls < CALLS_PER_MS; calls++) call();
    })();
    await until('calls to both', () => sent.size >= 2);
    const watch = new Worker(END_WATCH, { workerData: { port: address.port } });
    await once(watch, 'message');
    const ended = once(watch, 'message');
    if (dies.pid !== undefined) process.kill(dies.pid, 'SIGKILL');
    const [endedAt] = (await ended) as [number];
    await until('one peer', () => caller.fleet.peers.length === 1);
    await sleep(50);
    isOver = true;
    await arrivals;
    await Promise.all(open);
    const dead = victim ?? [...sent.keys()].find((to) => !caller.fleet.peers.includes(to)) ?? '';
    avoided.push(Math.max(0, (sent.get(dead) ?? 0) - endedAt));
    caller.fleet.connect([kept]);
    await dies.stop();
  }
  return [avoided, lost];
}

/** Freezes a peer: how long until it is known to be away, and how long until its link is back once it thaws. */
async function freeze(
  server: Server,
  { fleet }: FleetInstance,
): Promise<{ readonly silentMs: number; readonly backMs: number }> {
  const pid = server.pid as number;
  const frozenAt = performance.now();
  process.kill(pid, 'SIGSTOP');
  try {
    await until('no peer', () => fleet.peers.length === 0);
    const silentMs = performance.now() - frozenAt;
    await sleep(Math.max(0, FREEZE_MS - silentMs));
    const thawedAt = performance.now();
    process.kill(pid, 'SIGCONT');
    await until('the peer again', () => fleet.peers.length === 1);
    return { silentMs, backMs: performance.now() - thawedAt };
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Blocks the host's loop of a peer: p99 of calls to its replica before and meanwhile, in ms. */
async function block(
  server: Server,
  caller: FleetInstance,
): Promise<{ readonly before: number; readonly during: number; readonly ratio: number }> {
  const handle = handleOf(caller);
  const measure = async (ms: number): Promise<number> => {
    const times: number[] = [];
    for (const end = performance.now() + ms; performance.now() < end; await sleep(PAUSE_MS)) {
      const at = performance.now();
      await handle.echo.remote({ x: 1 });
      times.push(performance.now() - at);
    }
    return percentile(
      times.toSorted((a, b) => a - b),
      0.99,
    );
  };
  await until(
    'the table of its deployments',
    () => handle.echo.remote({ x: 1 }).explain().instance !== undefined,
  );
  await measure(1_000);
  const before = await measure(BLOCK_MS);
  const over = server.ask('block', START_TIMEOUT_MS);
  await sleep(100);
  const during = await measure(BLOCK_MS - 200);
  await over;
  return { before, during, ratio: during / before };
}
