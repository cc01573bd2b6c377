import type { Cell } from './cell.ts';
import { burst } from './cells/burst.ts';
import { cancel } from './cells/cancel.ts';
import { deadline } from './cells/deadline.ts';
import { overload } from './cells/overload.ts';
import { priority } from './cells/priority.ts';
import { queues } from './cells/queue.ts';
import { throughputs } from './cells/throughput.ts';
import { tokens } from './cells/tokens.ts';
import { web } from './cells/web.ts';

/** In the order in which they run. */
export const CELLS: readonly Cell[] = [
  burst,
  ...throughputs,
  tokens,
  cancel,
  priority,
  deadline,
  overload,
  web,
  ...queues,
];
