import { answer } from '../harness/answer.ts';
import { contenderOf } from './contenders.ts';

/** The called process of a contender; it answers each request with its port. */
const contender = await contenderOf(process.argv[2] ?? '');
const served = await contender.serve();

answer<'port', number>(
  async () => served.port,
  () => served.close(),
);
