import { answer } from '../harness/answer.ts';
import { contenderOf } from './contenders.ts';

/** The called process of a contender; it answers each request with its port. */
// The threads of an instance do not keep the process alive while it starts.
process.channel?.ref();

const contender = await contenderOf(process.argv[2] ?? '');
const served = await contender.serve();

answer<'port', number>(
  async () => served.port,
  () => served.close(),
);
