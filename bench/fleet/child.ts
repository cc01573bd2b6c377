import { answer } from '../harness/answer.ts';
import { closedLoop } from '../harness/closed-loop.ts';
import type { Metrics } from '../harness/samples.ts';
import { CELLS, callOf } from './cells.ts';
import { contenderOf } from './contenders.ts';
import { type Session, verify } from './session.ts';

export interface MeasureCell {
  readonly cell: string;
  readonly ms: number;
}

const WARM_UP_MS = 4_000;

const [name = '', port = '', serverId = ''] = process.argv.slice(2);
const session = await (await contenderOf(name)).connect(Number(port));
await verify(session);
await warmUp(session);

answer<MeasureCell, Metrics>(
  async ({ cell: cellName, ms }) => {
    const cell = CELLS.find((candidate) => candidate.name === cellName);
    if (cell === undefined) throw new Error(`no cell named '${cellName}'`);
    const { load, inFlight, units } = cell;
    const call = callOf(session, load);
    if (call === undefined) return {};
    const metrics = await closedLoop({ inFlight, ms, call, server: Number(serverId) });
    return units === 1 ? metrics : perUnit(metrics, units);
  },
  () => session.close(),
);

/** Metrics of the chunks of streams, from those of the streams. */
function perUnit(metrics: Metrics, units: number): Metrics {
  return Object.fromEntries(
    Object.entries(metrics).map(([metric, value]) => [
      metric,
      metric === 'throughput' ? value * units : value / units,
    ]),
  );
}

/** Lets the JIT see both regimes, one call at a time and many together, before anything is measured. */
async function warmUp(session: Session): Promise<void> {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
    await Promise.all(Array.from({ length: 100 }, () => session.echo({ x: 1 })));
    for (let call = 0; call < 50; call++) await session.echo({ x: 1 });
  }
  for (let round = 0; round < 10; round++) await verify(session);
}
