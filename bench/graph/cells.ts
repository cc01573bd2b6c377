import type { Call } from '../harness/closed-loop.ts';
import type { Session } from './session.ts';

const MIB = 1 << 20;

export interface Cell {
  readonly name: string;
  readonly inFlight: number;
  readonly kind: 'small' | 'frame';
}

export const CELLS: readonly Cell[] = [
  ...[1, 16, 64].map((inFlight): Cell => ({ name: `small@${inFlight}`, inFlight, kind: 'small' })),
  ...[1, 16].map((inFlight): Cell => ({ name: `frame1MiB@${inFlight}`, inFlight, kind: 'frame' })),
];

/** Which cells an implementation runs: only a chain of stages has a frame to hand on. */
export function cellsOf(implementation: string): readonly Cell[] {
  const hasFrames = implementation === 'three deployments' || implementation === 'by hand';
  return CELLS.filter(({ kind }) => kind === 'small' || hasFrames);
}

/** The call that one slot of the closed loop repeats. */
export function callOf(session: Session, { kind }: Cell): () => Call {
  if (kind === 'small') return () => () => session.pass({ x: 1 });
  const { frame } = session;
  if (frame === undefined) throw new Error('it has no frames');
  return () => () => frame(MIB);
}
