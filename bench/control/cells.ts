import type { Cell } from './cell.ts';
import { overload } from './cells/overload.ts';
import { start } from './cells/start.ts';

/** In the order in which they run. */
export const CELLS: readonly Cell[] = [start, overload];
