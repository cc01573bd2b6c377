import { answer } from '../harness/answer.ts';
import { closedLoop } from '../harness/closed-loop.ts';
import type { Metrics } from '../harness/samples.ts';
import { percentile } from '../harness/statistics.ts';
import { inserve } from './inserve.ts';
import type { Session } from './session.ts';
import { stream } from './stream.ts';

export interface MeasureCell {
  readonly cell: string;
  readonly ms: number;
}

/** As in the bench of fleets: V8 compiles the code of all contenders for seconds, and replicas live for days. */
const WARM_UP_MS = 4_000;
/** Processes that are killed in one round. */
const DEATHS = 5;

const SESSIONS: Readonly<Record<string, () => Promise<Session>>> = {
  thread: () => inserve('thread'),
  process: () => inserve('process'),
  stream,
};

const open = SESSIONS[process.argv[2] ?? ''];
if (open === undefined) throw new Error(`no contender named '${process.argv[2]}'`);
const session = await open();
if ((await session.echo({ x: 41 })).x !== 41) throw new Error('wrong result');
for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
  await Promise.all(Array.from({ length: 100 }, () => session.echo({ x: 1 })));
  for (let call = 0; call < 50; call++) await session.echo({ x: 1 });
}

answer<MeasureCell, Metrics>(
  async ({ cell, ms }) => {
    const { death, echo } = session;
    if (cell !== 'death') {
      const inFlight = Number(cell.split('@')[1]);
      return await closedLoop({ inFlight, ms, call: () => () => echo({ x: 1 }) });
    }
    if (death === undefined) return {};
    const seen: number[] = [];
    for (let deaths = 0; deaths < DEATHS; deaths++) seen.push(await death());
    seen.sort((a, b) => a - b);
    return { deathP50: percentile(seen, 0.5), deathP99: percentile(seen, 0.99) };
  },
  () => session.close(),
);
