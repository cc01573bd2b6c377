import type { Cell } from './cell.ts';
import { start } from './cells/start.ts';

/** In the order in which they run. */
export const CELLS: readonly Cell[] = [start];
