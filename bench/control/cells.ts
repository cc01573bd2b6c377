import type { Cell } from './cell.ts';
import { metrics } from './cells/metrics.ts';
import { overload } from './cells/overload.ts';
import { start } from './cells/start.ts';
import { updates } from './cells/updates.ts';

/** In the order in which they run. */
export const CELLS: readonly Cell[] = [start, metrics, overload, updates];
