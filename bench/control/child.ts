import { answer } from '../harness/answer.ts';
import type { Metrics } from '../harness/samples.ts';
import { CELLS } from './cells.ts';

const cell = CELLS.find(({ name }) => name === process.argv[2]);
if (cell === undefined) throw new Error(`no cell named '${process.argv[2]}'`);
const measured = cell;

answer<'measure', Metrics>(
  () => measured.measure(),
  async () => {},
);
