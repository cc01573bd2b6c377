import { answer } from '../harness/answer.ts';
import { closedLoop } from '../harness/closed-loop.ts';
import type { Metrics } from '../harness/samples.ts';
import { CELLS, callOf } from './cells.ts';
import { IMPLEMENTATIONS } from './implementations.ts';
import { type Session, verify } from './session.ts';

export interface MeasureCell {
  readonly cell: string;
  readonly ms: number;
}

const WARM_UP_MS = 400;

const implementation = await IMPLEMENTATIONS[process.argv[2] ?? '']?.load();
if (implementation === undefined) throw new Error(`no implementation named '${process.argv[2]}'`);
const start = implementation;
const sessions = new Map<number, Session>();
await sessionWith(1);

answer<MeasureCell, Metrics>(
  async ({ cell: name, ms }) => {
    const cell = CELLS.find((candidate) => candidate.name === name);
    if (cell === undefined) throw new Error(`no cell named '${name}'`);
    const session = await sessionWith(cell.workers);
    return closedLoop({ inFlight: cell.inFlight, ms, call: callOf(session, cell.load) });
  },
  async () => {
    await Promise.all(Array.from(sessions.values(), (session) => session.close()));
  },
);

/** Started on first use and kept: an idle thread costs the other cells nothing. */
async function sessionWith(workers: number): Promise<Session> {
  const existing = sessions.get(workers);
  if (existing !== undefined) return existing;
  const session = await start(workers);
  sessions.set(workers, session);
  await verify(session);
  await warmUp(session);
  return session;
}

/** Lets the JIT see both regimes, one call at a time and many together, before anything is measured. */
async function warmUp(session: Session): Promise<void> {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
    await Promise.all(Array.from({ length: 100 }, () => session.echo({ x: 1 })));
    for (let i = 0; i < 50; i++) await session.echo({ x: 1 });
  }
}
