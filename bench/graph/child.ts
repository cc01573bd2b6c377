import { answer } from '../harness/answer.ts';
import { closedLoop } from '../harness/closed-loop.ts';
import type { Metrics } from '../harness/samples.ts';
import { CELLS, callOf } from './cells.ts';
import { IMPLEMENTATIONS } from './implementations.ts';
import { verify } from './session.ts';

export interface MeasureCell {
  readonly cell: string;
  readonly ms: number;
}

/** Until V8 has compiled what runs: the rates still rise for 1 to 2 s. */
const WARM_UP_MS = 2_000;

const session = await IMPLEMENTATIONS[process.argv[2] ?? '']?.();
if (session === undefined) throw new Error(`no implementation named '${process.argv[2]}'`);
await verify(session);
// Lets the JIT see both regimes, one call at a time and many together, before anything is measured.
for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
  await Promise.all(Array.from({ length: 100 }, () => session.pass({ x: 1 })));
  for (let i = 0; i < 50; i++) await session.pass({ x: 1 });
}

answer<MeasureCell, Metrics>(
  ({ cell: name, ms }) => {
    const cell = CELLS.find((candidate) => candidate.name === name);
    if (cell === undefined) throw new Error(`no cell named '${name}'`);
    return closedLoop({ inFlight: cell.inFlight, ms, call: callOf(session, cell) });
  },
  () => session.close(),
);
