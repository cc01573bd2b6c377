import type { Call } from '../harness/closed-loop.ts';
import type { Session } from './session.ts';
import { MIB } from './work.ts';

export const WAYS = ['copy', 'transfer', 'recycle', 'shared'] as const;
export type Way = (typeof WAYS)[number];
export type Load = 'small' | Way;

export interface Cell {
  readonly name: string;
  readonly load: Load;
  readonly inFlight: number;
  readonly workers: number;
}

// Small payloads first: the heap is still clean of the big buffers then.
export const CELLS: readonly Cell[] = [
  ...[1, 16, 64, 256].map((inFlight) => cell('small', inFlight)),
  cell('small', 64, 2),
  ...WAYS.flatMap((way) => [1, 16, 64].map((inFlight) => cell(way, inFlight))),
];

export function cellName(load: Load, inFlight: number, workers = 1): string {
  const payload = load === 'small' ? load : `${load}1MiB`;
  return `${payload}@${inFlight}${workers === 1 ? '' : `/${workers}workers`}`;
}

function cell(load: Load, inFlight: number, workers = 1): Cell {
  return { name: cellName(load, inFlight, workers), load, inFlight, workers };
}

/** The call that one slot of the closed loop repeats. */
export function callOf(session: Session, load: Load): (slot: number) => Call {
  switch (load) {
    case 'small':
      return () => () => session.echo({ x: 1 });
    case 'copy':
      // A buffer per slot: one buffer twice in a batch would be serialized once.
      return () => {
        const bytes = new ArrayBuffer(MIB);
        return () => session.measure(bytes);
      };
    case 'transfer':
      return () => () => session.measureTransferred(new ArrayBuffer(MIB));
    case 'recycle':
      return () => {
        let bytes = new ArrayBuffer(MIB);
        return async () => {
          if (session.bounce === undefined) throw new Error('cannot transfer results');
          bytes = await session.bounce(bytes);
        };
      };
    case 'shared':
      return () => {
        const bytes = new SharedArrayBuffer(MIB);
        return () => session.measure(bytes);
      };
  }
}
