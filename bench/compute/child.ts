import { answer } from '../harness/answer.ts';
import type { Metrics } from '../harness/samples.ts';
import type { MeasureRequest } from './cell.ts';
import { CELLS } from './cells.ts';

const [, , cellName = '', contender = '', stepsPerMs = ''] = process.argv;
const open = CELLS.find(({ name }) => name === cellName)?.contenders[contender];
if (open === undefined) throw new Error(`no contender named '${contender}' in '${cellName}'`);
const session = await open(Number(stepsPerMs));

answer<MeasureRequest, Metrics>(
  (request) => session.measure(request),
  async () => {
    await session.close();
  },
);
