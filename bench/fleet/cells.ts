import type { Call } from '../harness/closed-loop.ts';
import { count, type Session } from './session.ts';
import { CHUNKS, MIB } from './work.ts';

export type Load = 'small' | 'mib' | 'stream';

export interface Cell {
  readonly name: string;
  readonly load: Load;
  readonly inFlight: number;
  /** What one call counts for in the metrics. */
  readonly units: number;
}

export const CELLS: readonly Cell[] = [
  ...[1, 64, 256].map((inFlight) => cell('small', inFlight)),
  cell('mib', 4),
  cell('stream', 4, CHUNKS),
];

export function cellName(load: Load, inFlight: number): string {
  return `${load}@${inFlight}`;
}

function cell(load: Load, inFlight: number, units = 1): Cell {
  return { name: cellName(load, inFlight), load, inFlight, units };
}

/** The call that one slot of the closed loop repeats; undefined where the contender has none. */
export function callOf(session: Session, load: Load): ((slot: number) => Call) | undefined {
  const { measure, stream } = session;
  switch (load) {
    case 'small':
      return () => () => session.echo({ x: 1 });
    case 'mib':
      return measure === undefined
        ? undefined
        : () => {
            const bytes = new Uint8Array(MIB);
            return () => measure(bytes);
          };
    case 'stream':
      return stream === undefined ? undefined : () => () => count(stream());
  }
}
