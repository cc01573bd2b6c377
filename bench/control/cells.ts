import type { Cell } from './cell.ts';
import { coldStart } from './cells/cold-start.ts';
import { decision } from './cells/decision.ts';
import { fleetDecision } from './cells/fleet-decision.ts';
import { fleetOfStubs } from './cells/fleet-of-stubs.ts';
import { fleetTimes } from './cells/fleet-times.ts';
import { metrics } from './cells/metrics.ts';
import { overload } from './cells/overload.ts';
import { start } from './cells/start.ts';
import { step } from './cells/step.ts';
import { updates } from './cells/updates.ts';

/** In the order in which they run. */
export const CELLS: readonly Cell[] = [
  start,
  coldStart,
  step,
  decision,
  fleetDecision,
  fleetOfStubs,
  fleetTimes,
  metrics,
  overload,
  updates,
];
